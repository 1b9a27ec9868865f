// ---- the ledger ------------------------------------------------------------------

const isRuntime = (name) => name.startsWith("runtime.");

// As in the terminal: the program's own code says more than the runtime's.
function claimOf(group) {
	const row = D.rows[group], owner = D.groups[group][1];
	if (!row)
		return "";
	if (!row.sites.length)
		return owner === "program" ? D.head.path : owner;
	const site = row.sites.find(([frame]) => !isRuntime(frameName(frame))) ||
		row.sites[0];
	const name = frameName(site[0]);
	const go = owner === "Go runtime" && isRuntime(name);
	const file = frameFile(site[0]), line = frameLine(site[0]);
	let text = go ? `Go runtime, ${site[2] ? "at start" : name.slice(8)}` : name;
	if (!go && file && line)
		text += ` ${baseName(file)}:${line}`;
	if (row.siteCount > 1 && !(go && site[2]))
		text += `, + ${row.siteCount - 1} more`;
	return text;
}

const columns = [
	["kind", "kind", (row) => row.kind, false],
	["owner", "owner", (row) => row.owner, false],
	["reserved", "reserved", (row) => row.sum.reserved, true],
	["committed", "committed", (row) => row.sum.committed, true],
	["resident", "resident", (row) => row.sum.resident, true],
	["mappings", "mappings", (row) => row.sum.mappings, true],
	["claim", "claimed by", (row) => row.claim, false],
];

function sortedRows() {
	const rows = X.sums.map((sum, group) => ({ group, sum,
		kind: D.groups[group][0], owner: D.groups[group][1],
		bytes: sum.reserved + sum.committed, claim: claimOf(group) }))
		.filter((row) => row.bytes || row.sum.mappings);
	const value = S.sort === "bytes" ? (row) => row.bytes
		: columns.find(([name]) => name === S.sort)[2];
	const compare = (a, b) => {
		const x = value(a), y = value(b);
		const order = typeof x === "string" ? x < y ? -1 : x > y ? 1 : 0
			: (y || 0) - (x || 0);
		return (S.up ? -order : order) || b.bytes - a.bytes || a.group - b.group;
	};
	rows.sort(compare);
	// goload's own stand last, as in the terminal.
	return [...rows.filter((row) => row.owner !== "goload"),
		...rows.filter((row) => row.owner === "goload")];
}

function sortBy(name) {
	if (S.sort !== name)
		set({ sort: name, up: 0 });
	else
		set(S.up ? { sort: "bytes", up: 0 } : { up: 1 });
}

function headCell([name, title, , isNumber]) {
	const sorted = S.sort === name;
	return el("th", { scope: "col", class: `${isNumber ? "number " : ""}of-${name}`,
		"aria-sort": sorted ? (isNumber ? !S.up : S.up) ? "descending" : "ascending" : null },
	el("button", { class: "sort", "data-sort": name, onclick: () => sortBy(name) }, title,
		el("span", { "aria-hidden": "true", class: "arrow" },
			sorted ? (isNumber ? !S.up : S.up) ? "↓" : "↑" : "")));
}

const opened = () => new Set(S.open.split(".").filter((word) => word).map(Number));

function toggleRow(group) {
	const groups = opened();
	if (!groups.delete(group))
		groups.add(group);
	set({ open: [...groups].join(".") });
}

function numberCell(value, name) {
	return el("td", { class: `number of-${name}`, "data-column": name,
		"data-value": value === null ? "" : value,
		title: value === null ? "not known at this moment"
			: name === "mappings" ? null : `${grouped.format(value)} bytes` },
	name === "mappings" ? grouped.format(value) : size(value, true));
}

function rowOf(row, open) {
	const swatch = el("i", { class: "swatch" });
	swatch.style.background = kindColours[row.group];
	return el("tr", { "data-kind": row.kind, "data-owner": row.owner,
		class: row.owner === "goload" ? "own" : "" },
	el("th", { scope: "row" }, el("button", { class: "plain expand",
		"aria-expanded": String(open), onclick: () => toggleRow(row.group) },
	el("span", { class: "turn", "aria-hidden": "true" }, open ? "▾" : "▸"),
	swatch, row.kind)),
	el("td", { class: "of-owner" }, row.owner),
	...measures.map((name) => numberCell(row.sum[name], name)),
	numberCell(row.sum.mappings, "mappings"),
	el("td", { class: "of-claim" }, row.claim));
}

// ---- the stacks behind a row ------------------------------------------------------

const STACKS_SHOWN = 12;

function stacksOf(row) {
	const sums = new Map();
	const at = (stack, call) => {
		const key = `${stack}.${call}`;
		if (!sums.has(key))
			sums.set(key, { stack, call, reserved: 0, committed: 0, mappings: 0 });
		return sums.get(key);
	};
	const order = row.sum.lives.slice().sort((a, b) => L.start[a] - L.start[b]);
	const last = new Map();
	for (const i of order) {
		const sum = at(L.stack[i], L.call[i]);
		sum[L.prot[i] ? "committed" : "reserved"] += L.size[i];
		const before = last.has(sum) ? last.get(sum) : -1;
		if (S.mode === "made" || !continues(i, before))
			sum.mappings++;
		last.set(sum, i);
	}
	for (const part of row.sum.rest) {
		const sum = at(part.stack, null);
		sum.reserved += part.reserved;
		sum.committed += part.committed;
		sum.mappings += part.mappings;
	}
	return [...sums.values()].sort((a, b) =>
		b.reserved + b.committed - a.reserved - a.committed);
}

function stackWords(sum) {
	const words = [];
	if (sum.reserved)
		words.push(`${size(sum.reserved)} reserved`);
	if (sum.committed)
		words.push(`${size(sum.committed)} committed`);
	words.push(count(sum.mappings, "mapping"));
	const call = sum.call === null ? null : calls.get(sum.call);
	return words.join(", ") + (call ? `, by ${call}` : "");
}

function detailsOf(row) {
	const known = D.rows[row.group], list = stacksOf(row), facts = [];
	if (known && S.mode === "there" && S.t >= D.duration && !S.q) {
		if (known.resident)
			facts.push(`resident: ${[["anonymous", "anonymous"], ["file", "of files"],
				["shared", "shared"]].filter(([name]) => known[name])
				.map(([name, what]) => `${size(known[name])} ${what}`).join(", ")}` +
				(known.huge ? `; ${size(known.huge)} in huge pages` : ""));
		if (known.returned)
			facts.push(`given back: ${size(known.returned)}` + (known.cameBack
				? `, ${size(known.cameBack)} of it resident again` : ""));
	}
	facts.unshift(`${row.owner}; ${count(row.sum.mappings, "mapping")}` +
		(row.claim && row.claim !== row.owner ? `; claimed by ${row.claim}` : ""));
	const cell = el("td", { colspan: columns.length }, ...facts.map((fact) =>
		el("p", { class: "muted" }, fact)),
	...list.slice(0, STACKS_SHOWN).map((sum) => el("div", { class: "behind" },
		el("p", null, el("b", null, stackWords(sum))), stackList(sum.stack))));
	if (list.length > STACKS_SHOWN)
		cell.append(el("p", { class: "muted" }, `and ${count(
			list.length - STACKS_SHOWN, "stack")} more, ${size(list.slice(STACKS_SHOWN)
			.reduce((sum, one) => sum + one.reserved + one.committed, 0))}`));
	return el("tr", { class: "details" }, cell);
}

function totalRow(title, sum, name) {
	return el("tr", { class: "total", "data-total": name },
		el("th", { scope: "row" }, title), el("td", { class: "of-owner" }),
		...[...measures, "mappings"].map((measure) =>
			numberCell(sum[measure], measure)), el("td", { class: "of-claim" }));
}

function plainRow(title, value, name, remark) {
	return el("tr", { class: "total", "data-total": name },
		el("th", { scope: "row" }, title), el("td", { class: "of-owner" }),
		el("td", { class: "number" }),
		el("td", { class: "number", "data-column": "committed", "data-value": value },
			size(value)),
		el("td", { class: "number" }), el("td", { class: "number of-mappings" }),
		el("td", { class: "of-claim muted" }, remark));
}

function makeTable() {
	const head = el("thead"), body = el("tbody"), foot = el("tfoot");
	const empty = el("p", { class: "muted" });
	hear(() => {
		const open = opened(), rows = sortedRows();
		const focus = document.activeElement && body.contains(document.activeElement)
			? document.activeElement.closest("tr").dataset.kind : null;
		const sorting = document.activeElement && head.contains(document.activeElement)
			? document.activeElement.dataset.sort : null;
		fill(head, el("tr", null, ...columns.map(headCell)));
		fill(body, ...rows.flatMap((row) => open.has(row.group)
			? [rowOf(row, true), detailsOf(row)] : [rowOf(row, false)]));
		const atEnd = S.mode === "there" && S.t >= D.duration && !S.q;
		fill(foot, totalRow("total", X.total, "total"),
			totalRow("goload itself", X.own, "goload"),
			atEnd && D.memstats && D.memstats.sys && D.memstats.sys.length
				? plainRow("MemStats.Sys", D.memstats.sys[D.memstats.sys.length - 1],
					"sys", "what Go's runtime says of itself") : null,
			atEnd ? plainRow("unexplained", D.totals.unexplained, "unexplained",
				D.head.checked ? "" : "not checked: there was no last look") : null);
		empty.textContent = rows.length ? "" : "Nothing is left of the ledger: no row is found.";
		if (focus !== null)
			for (const row of body.children)
				if (row.dataset.kind === focus)
					row.querySelector("button").focus();
		if (sorting)
			head.querySelector(`[data-sort="${sorting}"]`).focus();
	});
	return section("ledger", "Ledger", selectionNote(),
		el("div", { class: "scroll" }, el("table", { class: "ledger" },
			el("caption", { class: "unseen" }, "The ledger: a row for each kind"),
			head, body, foot)), empty, ranges());
}

// What the kernel's map and the calls do not agree on.
function ranges() {
	if (!D.ranges.length)
		return null;
	return el("div", { class: "ranges" }, el("h3", null, "What does not match"),
		el("ul", null, ...D.ranges.slice(0, 200).map(([start, end, phantom]) =>
			el("li", null, `${hex(start)} – ${hex(end)}  ${size(end - start)}` +
				(phantom ? ", not in the kernel's map" : ", unexplained")))));
}
