import * as scenarios from "./scenarios.mjs";

const [name, base, ...rest] = process.argv.slice(2);
try {
  await scenarios[name](base, ...rest);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
scenarios.closeAll();
