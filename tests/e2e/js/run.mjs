// One scenario: `node run.mjs <scenario> <address of the server>`.

import * as handover from "./handover.mjs";
import * as logins from "./logins.mjs";
import * as mesh from "./mesh.mjs";
import * as mixed from "./mixed.mjs";
import * as nodes from "./nodes.mjs";
import * as presence from "./presence.mjs";
import * as proxied from "./proxied.mjs";
import * as scenarios from "./scenarios.mjs";
import * as slow from "./slow.mjs";
import * as visitors from "./visitors.mjs";
import * as words from "./words.mjs";

const [name, base, ...rest] = process.argv.slice(2);
const [scenario, module = "scenarios"] = name.split(".").reverse();
try {
  await {
    handover, logins, mesh, mixed, nodes, presence, proxied, scenarios, slow, visitors, words,
  }[module][scenario](base, ...rest);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
scenarios.closeAll();
// Some scenarios are told by the test what to do next.
process.stdin.unref();
