// ---- what it comes to: three bars, one key ------------------------------------

const measures = ["reserved", "committed", "resident"];

function pickKind(kind) {
	set({ q: S.q === kind ? "" : kind });
}

// The parts of a bar: groups with a colour, then all others as one.
function barParts(measure) {
	const parts = [], others = { bytes: 0, kinds: 0 };
	X.sums.forEach((sum, group) => {
		const bytes = sum[measure];
		if (!bytes || D.groups[group][1] === "goload")
			return;
		if (hasColour(group)) {
			parts.push({ group, bytes });
		} else {
			others.bytes += bytes;
			others.kinds++;
		}
	});
	parts.sort((a, b) => b.bytes - a.bytes);
	if (others.bytes)
		parts.push({ group: -1, ...others });
	if (!parts.length && X.total[measure])
		parts.push({ group: -1, bytes: X.total[measure], kinds: 0 });
	return parts;
}

const partName = (part) => part.group >= 0 ? D.groups[part.group][0]
	: part.kinds ? count(part.kinds, "other kind")
	: "of which kinds is known at the end only";

function segment(part, measure, total) {
	const name = partName(part);
	const segment = el("span", { class: "segment" });
	segment.style.flexGrow = part.bytes;
	segment.style.background = part.group < 0 ? C.other : kindColours[part.group];
	hint(segment, () => [name,
		`${size(part.bytes)} ${measure}, ${percent(part.bytes, total)}`]);
	if (part.group >= 0)
		segment.addEventListener("click", () => pickKind(name));
	return segment;
}

function bar(measure, whole) {
	const total = X.total[measure];
	const strip = el("span", { class: "bar", "aria-hidden": "true" });
	if (total)
		strip.append(...barParts(measure).map((part) =>
			segment(part, measure, total)));
	return el("div", { class: "bar-row" },
		el("span", { class: "bar-name" }, measure),
		el("span", { class: "bar-size", id: `total-${measure}`,
			"data-bytes": total === null ? "" : total }, size(total)),
		strip,
		el("span", { class: "bar-share" }, total === null
			? "not known at this moment"
			: `${percent(total, whole)} of ${S.q || S.mode === "made" ? "this" : "VmSize"}`));
}

// VmSize to one scale: what is only reserved leaves little room for the others.
function wholeBar(whole) {
	const { total, own } = X;
	const atEnd = S.t >= D.duration && S.mode === "there" && !S.q;
	const parts = [["reserved", total.reserved, "only reserved"],
		["committed", total.committed, "committed"],
		["goload", own.reserved + own.committed, "goload itself"],
		["unexplained", atEnd ? D.totals.unexplained : 0, "unexplained"]];
	const strip = el("span", { class: "bar thin", "aria-hidden": "true" });
	const words = [];
	for (const [name, bytes, what] of parts) {
		if (bytes) {
			const segment = el("span", { class: `segment part-${name}` });
			segment.style.flexGrow = bytes;
			hint(segment, () => [what, `${size(bytes)}, ${percent(bytes, whole)}`]);
			strip.append(segment);
		}
		if (bytes || name === "unexplained" && atEnd)
			words.push(`${size(bytes)} ${what}`);
	}
	return el("div", { class: "whole" },
		el("p", null, el("b", { id: "whole", "data-bytes": whole }, size(whole)),
			words.length ? ` = ${words.join(" + ")}` : ""),
		strip);
}

function colourKey() {
	const list = el("ul", { class: "key" });
	D.groups.forEach(([kind], group) => {
		const sum = X.sums[group];
		if (!hasColour(group) || !(sum.reserved || sum.committed))
			return;
		const swatch = el("i", { class: "swatch" });
		swatch.style.background = kindColours[group];
		list.append(el("li", null, el("button", { class: "plain",
			"aria-pressed": String(S.q === kind),
			onclick: () => pickKind(kind) }, swatch, kind)));
	});
	const swatch = el("i", { class: "swatch" });
	swatch.style.background = C.other;
	list.append(el("li", { class: "muted" }, swatch, "other kinds"));
	return list;
}

function makeBars() {
	const body = el("div");
	const table = alternative("These bars as a table",
		["kind", "reserved", "committed", "resident"], () =>
		D.groups.map(([kind], group) => [kind, X.sums[group]])
			.filter(([, sum]) => sum.reserved || sum.committed)
			.map(([kind, sum]) => [kind, size(sum.reserved),
				size(sum.committed), size(sum.resident)]));
	hear(() => {
		const whole = X.total.reserved + X.total.committed +
			X.own.reserved + X.own.committed +
			(S.t >= D.duration && S.mode === "there" && !S.q
				? D.totals.unexplained : 0);
		fill(body, wholeBar(whole), ...measures.map((measure) =>
			bar(measure, whole)), colourKey());
		table.draw();
	});
	return section("sums", "What it comes to", selectionNote(), body, table);
}
