// Drives a browser through a page, and says what holds: "ok - fact" or
// "not ok - fact", with what was seen below.
//
//	node drive.mjs BROWSER PAGE JSON NAME [SHOTS]
//
// JSON is the report of the same run; it is what the page's figures are compared
// with. SHOTS is a folder for pictures.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [browserPath, pageFile, jsonFile, name, shots] = process.argv.slice(2);
const report = JSON.parse(readFileSync(jsonFile, "utf8"));
const html = readFileSync(pageFile, "utf8");
const data = JSON.parse(gunzipSync(Buffer.from(
	html.slice(html.lastIndexOf('id="data">') + 10).replace("</script>", ""),
	"base64")));
const address = pathToFileURL(pageFile).href;
const measures = ["reserved", "committed", "resident", "mappings"];

async function fact(sentence, look) {
	let seen;
	try {
		seen = await look();
	} catch (error) {
		seen = [error.message];
	}
	const bad = (seen || []).filter((line) => line);
	console.log(`${bad.length ? "not ok" : "ok"} - ${name}: ${sentence}`);
	for (const line of bad.slice(0, 8))
		console.log("  # " + String(line).split("\n").join("\n  # "));
}

const differs = (what, page, other) => JSON.stringify(page) === JSON.stringify(other)
	? null : `${what}: the page has ${JSON.stringify(page)}, not ${JSON.stringify(other)}`;
const sum = (list) => list.reduce((all, value) => all + value, 0);

const browser = await chromium.launch({ executablePath: browserPath,
	args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
const noise = [];

async function open(options, hash = "") {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	page.on("console", (message) => noise.push(`console: ${message.text()}`));
	page.on("pageerror", (error) => noise.push(`error: ${error.stack}`));
	page.on("dialog", (dialog) => {
		noise.push(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	await page.route("**/*", (route) => {
		if (route.request().url().split("#")[0] !== address) {
			noise.push(`request: ${route.request().url()}`);
			return route.abort();
		}
		return route.continue();
	});
	await page.goto(address + hash);
	await page.waitForSelector("html[data-ready]", { timeout: 30000 });
	await settled(page);
	return page;
}

// Until what was asked for is seen, and stands in the address.
async function settled(page) {
	await page.waitForSelector("html:not([data-busy])", { state: "attached" });
}

async function go(page, hash) {
	await page.evaluate((to) => new Promise((done) => {
		if (location.hash.slice(1) === to)
			done();
		addEventListener("hashchange", done, { once: true });
		location.hash = to;
	}), hash);
	await settled(page);
}

async function scheme(page, colorScheme) {
	await page.emulateMedia({ colorScheme });
	await page.waitForSelector(`html[data-theme="${colorScheme}"]`, { state: "attached" });
	await settled(page);
}

const hashOf = (page) => page.evaluate(() =>
	Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
const textOf = (page, selector) => page.locator(selector).innerText();

// The table's rows and totals, as numbers.
const tableOf = (page) => page.evaluate(() => {
	const cells = (row) => Object.fromEntries([...row.querySelectorAll("[data-column]")]
		.map((cell) => [cell.dataset.column, cell.dataset.value === ""
			? null : Number(cell.dataset.value)]));
	return { rows: [...document.querySelectorAll(".ledger tbody tr[data-kind]")]
		.map((row) => ({ kind: row.dataset.kind, owner: row.dataset.owner,
			...cells(row) })),
	totals: Object.fromEntries([...document.querySelectorAll(".ledger tfoot tr")]
		.map((row) => [row.dataset.total, cells(row)])) };
});
const ofTarget = (table) => table.rows.filter((row) => row.owner !== "goload");

const page = await open({ viewport: { width: 1440, height: 900 } });

// ---- figures ---------------------------------------------------------------------

await fact("its rows are those of the JSON report", async () => {
	const table = await tableOf(page);
	return [differs("rows", ofTarget(table).map((row) => [row.kind, row.owner,
		...measures.map((measure) => row[measure])]),
	report.ledger.map((row) => [row.kind, row.owner,
		...measures.map((measure) => row[measure])]))];
});

await fact("so are its totals, goload's own and what is unexplained", async () => {
	const { totals } = await tableOf(page), t = report.totals;
	const whole = Number(await page.locator("#whole").getAttribute("data-bytes"));
	return [differs("total", totals.total, { reserved: t.reserved,
		committed: t.committed, resident: t.resident, mappings: t.mappings }),
	differs("goload", totals.goload.reserved + totals.goload.committed, t.goload),
	differs("goload, resident", totals.goload.resident, t.goload_resident),
	differs("unexplained", totals.unexplained.committed, t.unexplained),
	differs("VmSize", whole, t.vm_size),
	report.memstats && report.memstats.available ? differs("MemStats.Sys",
		totals.sys.committed, report.memstats.sys) : null];
});

await fact("its bars come to the totals", async () => Promise.all(
	["reserved", "committed", "resident"].map(async (measure) => differs(measure,
		Number(await page.locator(`#total-${measure}`).getAttribute("data-bytes")),
		report.totals[measure]))));

await fact("at any moment its sums are those of the report's timeline", async () => {
	if (data.rest.count)
		return []; // known at the ends of steps only: the next facts
	const line = report.timeline;
	const few = line.filter((_, at) => at % Math.ceil(line.length / 12) === 0);
	const bad = [];
	for (const point of few) {
		await go(page, `t=${point.t}`);
		const { totals } = await tableOf(page);
		bad.push(differs(`at ${point.t}`, [totals.total.reserved,
			totals.total.committed], [point.reserved, point.committed]));
	}
	await go(page, "");
	return bad;
});

await fact("what is told together and what is told one by one is all of it", async () => {
	const there = [0, 0];
	data.lives.last.forEach((last, i) => {
		if (last && data.groups[data.lives.group[i]][1] !== "goload")
			there[data.lives.prot[i] ? 1 : 0] += data.lives.size[i];
	});
	for (const step of data.rest.steps)
		if (step[1] === data.rest.edges - 1) {
			there[0] += step[6];
			there[1] += step[7];
		}
	const made = data.lives.from.length + sum(data.rest.steps.map((step) => step[2]));
	await go(page, "mode=made");
	const { totals } = await tableOf(page);
	await go(page, "");
	return [differs("at the end", there,
		[report.totals.reserved, report.totals.committed]),
	differs("made", totals.total.mappings + totals.goload.mappings, made),
	differs("the rest", sum(data.rest.steps.map((step) => step[2])), data.rest.count)];
});

await fact("its sentences are there", async () => {
	const said = await textOf(page, "#explanation");
	return data.say.map((sentence) => said.replace(/\s+/g, " ").includes(sentence)
		? null : `no "${sentence}"`);
});

// ---- what can be done ----------------------------------------------------------------

await fact("a range is selected with the mouse, and what was made in it is shown", async () => {
	await page.locator("#time .marks").scrollIntoViewIfNeeded();
	const box = await page.locator("#time .u-over").boundingBox();
	await page.mouse.move(box.x + box.width * 0.02, box.y + box.height / 2);
	await page.mouse.down();
	await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2, { steps: 4 });
	await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2);
	await page.mouse.up();
	await settled(page);
	const { a, b } = await hashOf(page), at = [Number(a), Number(b)];
	const share = at.map((t) => t / report.run.duration);
	await page.click('[data-name="mode"] [data-value="made"]');
	await settled(page);
	const table = await tableOf(page), made = [0, 0, 0];
	data.lives.from.forEach((from, i) => {
		if (from > at[0] && from <= at[1] &&
		    data.groups[data.lives.group[i]][1] !== "goload") {
			made[data.lives.prot[i] ? 1 : 0] += data.lives.size[i];
			made[2]++;
		}
	});
	for (const step of data.rest.steps) {
		const edge = Math.floor(report.run.duration * (step[1] + 1) / data.rest.edges);
		if (edge > at[0] && edge <= at[1]) {
			made[0] += step[3];
			made[1] += step[4];
			made[2] += step[2];
		}
	}
	const total = table.totals.total;
	await page.click('[data-name="mode"] [data-value="there"]');
	return [Math.abs(share[0] - 0.02) < 0.01 && Math.abs(share[1] - 0.6) < 0.01 ? null
		: `the range is ${share}`,
	differs("made", [total.reserved, total.committed, total.mappings], made)];
});

await fact("a double click takes it back", async () => {
	await page.locator("#time .u-over").dblclick({ position: { x: 300, y: 60 } });
	await settled(page);
	const hash = await hashOf(page);
	return [hash.a || hash.b || hash.t ? JSON.stringify(hash) : null];
});

await fact("the moment is moved with the keyboard", async () => {
	await page.locator('input[data-name="t"]').focus();
	await page.keyboard.press("Home");
	await settled(page);
	const first = await tableOf(page);
	await page.keyboard.press("End");
	await settled(page);
	const last = await tableOf(page);
	return [differs("at the end", last.totals.total.committed, report.totals.committed),
		first.totals.total.committed < Math.max(...data.points.committed) ? null
			: "the beginning is not smaller than the most there was"];
});

await fact("it plays", async () => {
	await page.click(".play");
	await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).has("t"));
	const playing = await page.locator(".play").innerText();
	await page.click(".play");
	await go(page, "");
	return [playing.includes("Stop") ? null : playing];
});

await fact("the search finds kinds, and nothing else", async () => {
	const word = report.ledger.some((row) => row.kind === "heap") ? "page summary" : "stack";
	await page.fill('input[type="search"]', word);
	await settled(page);
	const table = await tableOf(page);
	const found = table.rows.map((row) => row.kind);
	const hash = await hashOf(page);
	return [differs("the address", hash.q, word),
		found.includes(word) ? null : `found ${found}`,
		found.includes("text") ? "text is found" : null,
		differs("what is found", table.rows.filter((row) => row.kind === word)
			.map((row) => [row.reserved, row.committed, row.mappings]),
		report.ledger.filter((row) => row.kind === word)
			.map((row) => [row.reserved, row.committed, row.mappings]))];
});

await fact("it finds functions and addresses", async () => {
	const bad = [];
	const at = data.lives.last.findIndex((last, i) => last &&
		data.groups[data.lives.group[i]][0] === "text");
	await page.fill('input[type="search"]',
		"0x" + (data.lives.start[at] + 5).toString(16));
	await settled(page);
	bad.push(differs("by address", (await tableOf(page)).rows.map((row) =>
		[row.kind, row.mappings]), [["text", 1]]));
	const stack = data.stacks.find((one) => one.length > 1);
	const called = data.texts[data.frames[stack[stack.length - 1]][0]];
	await page.fill('input[type="search"]', called);
	await settled(page);
	if (!(await tableOf(page)).rows.length)
		bad.push(`nothing by ${called}, at #${await page.evaluate(() => location.hash)}`);
	await page.fill('input[type="search"]', "no such thing");
	await settled(page);
	bad.push(differs("by nonsense", (await tableOf(page)).rows, []));
	if (!(await textOf(page, "#ledger")).includes("Nothing is left"))
		bad.push("it does not say that nothing is found");
	await page.fill('input[type="search"]', "");
	await settled(page);
	return bad;
});

await fact("the table is sorted by a column, up and down", async () => {
	const bad = [];
	const order = async (column) => ofTarget(await tableOf(page)).map((row) => row[column]);
	await page.click('[data-sort="resident"]');
	await settled(page);
	const down = await order("resident");
	bad.push(differs("down", down, down.slice().sort((a, b) => b - a)));
	await page.click('[data-sort="resident"]');
	await settled(page);
	const up = await order("resident");
	bad.push(differs("up", up, up.slice().sort((a, b) => a - b)));
	await page.click('[data-sort="kind"]');
	await settled(page);
	const names = await order("kind");
	bad.push(differs("names", names, names.slice().sort()));
	bad.push(differs("said", await page.locator('th:has([data-sort="kind"])')
		.getAttribute("aria-sort"), "ascending"));
	await go(page, "");
	return bad;
});

await fact("a row opens to the stacks behind it, which come to the row", async () => {
	const row = report.ledger.find((one) => one.sites.length) || report.ledger[0];
	const expand = page.locator(`tr[data-kind="${row.kind}"] .expand`).first();
	await expand.focus();
	await page.keyboard.press("Enter");
	await settled(page);
	const said = await textOf(page, ".details");
	const focused = await page.evaluate(() =>
		document.activeElement.closest("tr").dataset.kind);
	await page.keyboard.press("Enter");
	return [row.sites.length && !said.includes(row.sites[0].function)
		? `no ${row.sites[0].function} in ${said}` : null,
	differs("focus", focused, row.kind)];
});

await fact("a mapping is picked, and the next one with the arrow keys", async () => {
	const canvas = page.locator("#addresses canvas").last();
	const box = await canvas.boundingBox();
	await canvas.click({ position: { x: box.width - 30, y: box.height - 14 } });
	await settled(page);
	const first = await textOf(page, ".picked"), at = Number((await hashOf(page)).pick);
	await canvas.focus();
	await page.keyboard.press("ArrowLeft");
	await settled(page);
	const next = Number((await hashOf(page)).pick);
	const found = data.lives.start.some((start, i) => start === next && data.lives.last[i]);
	await page.keyboard.press("Escape");
	await settled(page);
	return [first.includes("stack") && first.includes("0x" + at.toString(16)) ? null : first,
		found && next < at ? null : `went from ${at} to ${next}`];
});

const metric = report.totals.reserved ? "reserved" : "committed";

await fact("the flame graph comes to the totals, by each measure", async () => {
	const bad = [];
	for (const measure of ["reserved", "committed", "resident"]) {
		await page.click(`[data-name="metric"] [data-value="${measure}"]`);
		await settled(page);
		bad.push(differs(measure, Number(await page.locator("#stacks [data-value].note")
			.getAttribute("data-value")), report.totals[measure]));
	}
	return bad;
});

await fact("it is zoomed by mouse and keyboard, turned, and zoomed out again", async () => {
	await page.click(`[data-name="metric"] [data-value="${metric}"]`);
	await settled(page);
	const canvas = page.locator("#stacks canvas");
	await canvas.click({ position: { x: 20, y: 30 } });
	await settled(page);
	const zoom = (await hashOf(page)).zoom;
	const said = await textOf(page, ".way");
	await canvas.focus();
	await page.keyboard.press("Escape");
	await settled(page);
	const out = (await hashOf(page)).zoom;
	await page.keyboard.press("ArrowDown");
	await page.keyboard.press("ArrowDown");
	await page.keyboard.press("Enter");
	await settled(page);
	const deeper = (await hashOf(page)).zoom;
	await page.click('[data-name="turned"] [data-value="1"]');
	await settled(page);
	const turned = await hashOf(page);
	await go(page, "");
	return [zoom && said.includes("zoomed") ? null : `zoom ${zoom}, ${said}`,
		out ? `still zoomed: ${out}` : null,
		deeper && deeper.includes("/") ? null : `by keys: ${deeper}`,
		turned.turned === "1" && !turned.zoom ? null : JSON.stringify(turned)];
});

await fact("curves can be hidden, and have other axes", async () => {
	await page.click('[data-name="y"] [data-value="own"]');
	await page.locator(".chip").first().click();
	await settled(page);
	const hash = await hashOf(page);
	const pressed = await page.locator(".chip").first().getAttribute("aria-pressed");
	await go(page, "");
	return [differs("axis", hash.y, "own"), differs("hidden", hash.hide, "reserved"),
		differs("said", pressed, "false")];
});

await fact("light and dark follow the system, and the button", async () => {
	const ground = () => page.evaluate(() =>
		getComputedStyle(document.documentElement).backgroundColor);
	const light = await ground();
	await scheme(page, "dark");
	const dark = await ground();
	await page.click(".theme");
	await settled(page);
	const chosen = await ground();
	await go(page, "");
	await page.emulateMedia({ colorScheme: "light" });
	return [light !== dark ? null : "dark is as light", differs("chosen", chosen, light)];
});

await fact("its address, opened again, shows the same", async () => {
	const middle = Math.floor(report.run.duration / 2);
	await go(page, `a=${Math.floor(middle / 9)}&b=${middle}&t=${middle}&q=s&sort=committed` +
		"&up=1&y=linear&lanes=true&metric=committed&turned=1&open=0&theme=dark&mode=made");
	const parts = ["#sums", "#ledger", "#stacks .note[aria-live]", "#addresses .note"];
	const seen = async (one) => [await one.evaluate(() => location.hash),
		...await Promise.all(parts.map((part) => textOf(one, part))),
		await one.evaluate(() => document.documentElement.dataset.theme)];
	const before = await seen(page);
	const again = await open({ viewport: { width: 1440, height: 900 } }, before[0]);
	const after = await seen(again);
	await again.context().close();
	await go(page, "");
	return [differs("what is seen", after, before)];
});

await fact("an address of nonsense is shown as far as it makes sense", async () => {
	const other = await open({}, "#a=99999999999999999999&b=-3&t=x&sort=__proto__&y=7&zoom=%00/<b>&open=9999.x&pick=1&metric=constructor&za=5&zb=2&q=%3Cimg%20src=x%3E");
	const found = await other.locator("main img").count();
	await other.context().close();
	return [found ? "an element came out of the address" : null];
});

// ---- for everybody ----------------------------------------------------------------------

await fact("each chart has a table, and each control a name", async () => {
	const bad = await page.evaluate(() => {
		const list = [];
		for (const id of ["sums", "time", "addresses", "stacks"]) {
			const details = document.querySelector(`#${id} details.alternative`);
			details.open = true;
		}
		for (const one of document.querySelectorAll('[role="img"]'))
			if (!one.getAttribute("aria-label"))
				list.push(`a picture without a name in ${one.closest("section").id}`);
		for (const one of document.querySelectorAll("button, input"))
			if (!(one.getAttribute("aria-label") || one.innerText.trim()))
				list.push(`no name: ${one.outerHTML.slice(0, 80)}`);
		for (const one of document.querySelectorAll("canvas:not([aria-hidden])"))
			if (!one.closest('[role="img"]'))
				list.push("a canvas that is no picture");
		return list;
	});
	await settled(page);
	const rows = await page.evaluate(() => ["sums", "time", "addresses", "stacks"]
		.map((id) => [id, document.querySelectorAll(`#${id} details tbody tr`).length]));
	return [...bad, ...rows.map(([id, number]) => number ? null : `no rows in ${id}`)];
});

await fact("at 400 pixels nothing is wider than the screen, or cut off", async () => {
	const small = await open({ viewport: { width: 400, height: 800 } });
	const bad = await small.evaluate(() => {
		const list = [], wide = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth > wide)
			list.push(`the page is ${document.documentElement.scrollWidth} wide`);
		for (const one of document.querySelectorAll("main *")) {
			const box = one.getBoundingClientRect();
			const style = getComputedStyle(one);
			if (one.closest(".unseen, .u-wrap, svg") || !box.width)
				continue;
			if (box.right > wide + 1)
				list.push(`${one.tagName}.${one.className} ends at ${box.right}`);
			if (style.overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1 &&
			    one.innerText)
				list.push(`${one.tagName}.${one.className} is cut off`);
		}
		return list;
	});
	if (shots)
		for (const colours of ["light", "dark"]) {
			await scheme(small, colours);
			await small.screenshot({ path: `${shots}/${name}-${colours}-400.png`, fullPage: true });
		}
	await small.context().close();
	return bad;
});

await fact("on paper there are no controls", async () => {
	await page.emulateMedia({ media: "print" });
	await page.waitForSelector(".controls", { state: "hidden", timeout: 5000 });
	await page.emulateMedia({ media: "screen" });
	await page.waitForSelector(".controls", { timeout: 5000 });
	return [];
});

await go(page, "");
if (shots)
	for (const colours of ["light", "dark"]) {
		await page.evaluate(() => document.querySelectorAll("details")
			.forEach((one) => { one.open = false; }));
		await scheme(page, colours);
		await page.screenshot({ path: `${shots}/${name}-${colours}-1440.png`, fullPage: true });
	}

await fact("it said nothing, and asked for nothing", async () => noise);

await fact("control: it could not if it wanted to, and that is seen", async () => {
	const before = noise.length;
	const refused = await page.evaluate(async () => {
		const element = document.createElement("img");
		element.src = "http://127.0.0.1:9/x.png";
		document.body.append(element);
		const script = document.createElement("script");
		script.append("window.ran = true");
		document.body.append(script);
		let markup = false;
		try {
			document.body.insertAdjacentHTML("beforeend", "<b>x</b>");
			markup = true;
		} catch {
			// what the policy is for
		}
		return [await fetch("http://127.0.0.1:9/").then(() => false, () => true),
			!window.ran, !markup];
	});
	await settled(page);
	return [differs("refused", refused, [true, true, true]),
		noise.length > before ? null : "nobody heard of it"];
});

await browser.close();
