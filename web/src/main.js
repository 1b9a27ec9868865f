// ---- the page ----------------------------------------------------------------------

function headline() {
	const { head, events } = D;
	const facts = [head.go, head.linkage + (head.stripped ? ", stripped" : ""),
		time(head.duration), ended(), count(events.count, "memory syscall"),
		`${grouped.format(events.lost)} lost`];
	for (const [number, words] of [[events.net, "by the net"],
		[events.ambiguous, "ambiguous"], [events.cut, "with a cut stack"],
		[events.children, "child processes not observed"]])
		if (number)
			facts.push(`${grouped.format(number)} ${words}`);
	const theme = el("button", { class: "theme", onclick: () =>
		set({ theme: isDark() ? "light" : "dark" }) });
	hear(() => { theme.textContent = isDark() ? "Light" : "Dark"; });
	const where = [];
	if (head.args.length > 1)
		where.push(head.args.join(" "));
	if (head.host)
		where.push(`on ${head.host}, pid ${head.pid}, ` +
			new Date(head.started / 1e6).toISOString().slice(0, 19)
				.replace("T", " ") + " UTC");
	if (head.redacted)
		where.push("redacted: without arguments, paths, host and ids");
	return el("header", null, el("div", { class: "title" },
		el("h1", null, el("span", { class: "muted" }, "goload "), head.path), theme),
	el("p", { class: "facts" }, ...facts.filter((fact) => fact)
		.map((fact) => el("span", null, fact))),
	where.length ? el("p", { class: "muted where" }, where.join(" · ")) : null);
}

function explanation() {
	const closed = D.head.checked && !D.totals.unexplained && !D.totals.phantom;
	return el("section", { id: "explanation", "aria-labelledby": "say-title" },
		el("h2", { id: "say-title" }, "In words"),
		...D.say.map((sentence) => el("p", null, sentence)),
		closed ? null : el("p", { class: "warning" }, D.head.checked
			? "The ledger does not close." : "The ledger could not be checked."));
}

function applyTheme() {
	const was = C && C.ground;
	chooseColours();
	if (was !== C.ground)
		letters.clear();
}

function complain(error) {
	fill(document.getElementById("main"), el("p", { class: "warning" },
		`This page cannot be shown: ${error.message}`));
}

async function begin() {
	if (!("DecompressionStream" in window))
		throw new Error("the browser is too old (it lacks DecompressionStream)");
	take(await unpack(document.getElementById("data").textContent));
	document.title = `${baseName(D.head.path)} – goload`;
	readState();
	hear(applyTheme);
	applyTheme();
	computeSelection();
	fill(document.getElementById("main"), headline(),
		el("div", { class: "beside" }, explanation(), makeBars()), makeControls(),
		makeTime(), makeAddresses(), makeFlame(), makeTable(),
		el("footer", { class: "muted" }, "Made by goload from one run; nothing is loaded from anywhere. / searches, Esc takes back, and the address of this page keeps what you see."));
	document.body.append(bubble);
	window.addEventListener("hashchange", () => {
		readState();
		tell();
	});
	systemDark.addEventListener("change", tell);
	printing.addEventListener("change", drawNow); // paper does not wait
	document.documentElement.dataset.ready = "yes";
	tell();
}

document.addEventListener("DOMContentLoaded", () => begin().catch(complain));
