// One scenario: `node run.mjs <scenario> <address of the server>`.

import * as scenarios from "./scenarios.mjs";
import * as words from "./words.mjs";

const [name, base, ...rest] = process.argv.slice(2);
const [module, scenario] = name.startsWith("words.") ? [words, name.slice(6)] : [scenarios, name];
try {
  await module[scenario](base, ...rest);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
scenarios.closeAll();
