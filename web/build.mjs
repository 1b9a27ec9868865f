// Makes the page: one file of HTML, style and script, up to the element that
// holds a run's data, which goload writes behind it.
//
//	node build.mjs SOURCES MODULES >page.html
//
// The scripts are put one behind the other; there is nothing to resolve or
// compile. The page may run this script and use this style, and nothing else:
// their hashes stand in its policy.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const scripts = [
	"basics", "data", "state", "select", "colours", "bars", "time", "lanes",
	"flame", "table", "controls", "main",
];

const [sources, modules] = process.argv.slice(2);
const source = (name) => readFileSync(join(sources, name), "utf8");
const uplot = (name) => readFileSync(join(modules, "uplot", name), "utf8");
const hash = (text) => "'sha256-" +
	createHash("sha256").update(text).digest("base64") + "'";

const style = uplot("dist/uPlot.min.css") + source("src/style.css");
const script = "\n/* uPlot\n\n" + uplot("LICENSE").trim() + "\n*/\n" +
	uplot("dist/uPlot.iife.min.js") + "\n(() => {\n\"use strict\";\n" +
	scripts.map((name) => source(`src/${name}.js`)).join("\n") + "})();\n";
if (/<\/(script|style)|<!--/i.test(script + style))
	throw new Error("a script or style would end its element");

const policy = [
	"default-src 'none'", `script-src ${hash(script)}`,
	`style-src ${hash(style)}`, "base-uri 'none'", "form-action 'none'",
	"require-trusted-types-for 'script'",
].join("; ");
const parts = { policy, style, script };
process.stdout.write(source("src/page.html").trim()
	.replace(/@(policy|style|script)@/g, (_, part) => parts[part]));
