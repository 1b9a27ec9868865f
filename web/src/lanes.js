// ---- the address space ----------------------------------------------------------

const LANE = 26, GAP = 16, LANES_MOST = 32, CUTS_MOST = 1500;
let lanes; // { start, end, cuts, at, gap } of each, by address
let shapes = []; // what is drawn: { i, x, y, w }

// Runs of addresses that were ever mapped, cut at holes of that size and more.
function regions(hole) {
	const order = [...L.start.keys()].sort((a, b) => L.start[a] - L.start[b]);
	const list = [];
	for (const i of order) {
		const end = L.start[i] + L.size[i], last = list[list.length - 1];
		if (last && L.start[i] - last.end < hole) {
			last.end = Math.max(last.end, end);
			last.lives.push(i);
		} else {
			list.push({ start: L.start[i], end, lives: [i] });
		}
	}
	return list;
}

function makeLanes() {
	let hole = 2 ** 24;
	do {
		lanes = regions(hole);
		hole *= 4;
	} while (lanes.length > LANES_MOST);
	L.lane = [];
	lanes.forEach((lane, at) => {
		const cuts = new Set();
		for (const i of lane.lives) {
			L.lane[i] = at;
			cuts.add(L.start[i]).add(L.start[i] + L.size[i]);
		}
		lane.cuts = [...cuts].sort((a, b) => a - b);
		lane.hole = at ? lane.start - lanes[at - 1].end : 0;
		markHoles(lane);
	});
}

// Between which cuts nothing ever was.
function markHoles(lane) {
	const order = lane.lives.slice().sort((a, b) => L.start[a] - L.start[b]);
	lane.holes = new Set();
	let end = lane.start;
	for (const i of order) {
		if (L.start[i] > end)
			lane.holes.add(end);
		end = Math.max(end, L.start[i] + L.size[i]);
	}
}

// Where the addresses of a lane stand. On an even scale a piece of 4 KiB is seen
// next to one of 512 MiB: the width goes with the fourth root of the size.
function layOut(lane, width) {
	const even = S.lanes === "even" && lane.cuts.length <= CUTS_MOST;
	const weight = [];
	let sum = 0;
	for (let at = 0; at + 1 < lane.cuts.length; at++) {
		const bytes = lane.cuts[at + 1] - lane.cuts[at];
		weight[at] = !even ? bytes : lane.holes.has(lane.cuts[at])
			? Math.min(bytes, 4096) ** 0.25 : bytes ** 0.25;
		sum += weight[at];
	}
	lane.x = [0];
	for (let at = 0; at < weight.length; at++)
		lane.x.push(lane.x[at] + weight[at] / sum * width);
}

function placeOf(lane, address) {
	const at = clamp(before(lane.cuts, address), 0, lane.cuts.length - 1);
	if (at === lane.cuts.length - 1)
		return lane.x[at];
	const share = (address - lane.cuts[at]) / (lane.cuts[at + 1] - lane.cuts[at]);
	return lane.x[at] + share * (lane.x[at + 1] - lane.x[at]);
}

function drawPiece(pen, i, lane, y, left, shot) {
	const x = left + placeOf(lane, L.start[i]);
	const w = Math.max(left + placeOf(lane, L.start[i] + L.size[i]) - x, 1);
	const dim = matching && !matching[i] ||
		S.mode === "made" && !wasMade(i, S.a, S.b);
	const colour = kindColours[L.group[i]];
	const resident = residentOf(i, shot);
	pen.globalAlpha = dim ? 0.22 : 1;
	pen.fillStyle = pattern(pen, colour, patternOf(L.prot[i]));
	pen.fillRect(x, y, w, LANE);
	if (resident) {
		pen.fillStyle = colour;
		pen.fillRect(x, y + LANE - 9, Math.max(w * Math.min(resident / L.size[i], 1),
			1), 9);
	}
	pen.fillStyle = mix(colour, C.ground, 0.8);
	pen.fillRect(x, y, Math.min(1, w), LANE);
	if (w > 34) {
		const text = fitted(pen, D.groups[L.group[i]][0], w - 8);
		pen.fillStyle = C.text;
		pen.fillText(text, x + 5, y + 12);
	}
	pen.globalAlpha = 1;
	shapes.push({ i, x, y, w });
}

function drawLane(pen, lane, y, left, width, there, shot) {
	pen.fillStyle = C.faint;
	pen.fillRect(left, y, width, LANE);
	for (const hole of lane.holes) {
		const x = left + placeOf(lane, hole);
		const next = lane.cuts[before(lane.cuts, hole) + 1];
		pen.fillStyle = C.ground;
		pen.fillRect(x, y - 1, Math.max(left + placeOf(lane, next) - x, 1), LANE + 2);
	}
	for (const i of there)
		drawPiece(pen, i, lane, y, left, shot);
}

function drawLanes(canvas, width) {
	const narrow = width < 700, left = narrow ? 0 : 216;
	const step = LANE + GAP + (narrow ? 16 : 0);
	const height = lanes.length * step + 4;
	const pen = context(canvas, width, height);
	const shot = shotAt(S.t);
	const there = lanes.map(() => []);
	for (let i = 0; i < L.count; i++)
		if (isThere(i, S.t))
			there[L.lane[i]].push(i);
	shapes = [];
	pen.clearRect(0, 0, width, height);
	pen.textBaseline = "middle";
	lanes.forEach((lane, at) => {
		const top = at * step;
		const y = top + GAP + (narrow ? 16 : 0);
		layOut(lane, width - left);
		pen.font = "11px system-ui, sans-serif";
		pen.fillStyle = C.muted;
		pen.textAlign = "left";
		if (lane.hole) {
			const words = `${size(lane.hole)} free`;
			pen.fillText(`⋮ ${words}`, left ? left + 2 : 0, top + GAP / 2);
		}
		pen.font = "12px ui-monospace, monospace";
		pen.fillStyle = C.text;
		const label = hex(lane.start), bytes = size(lane.end - lane.start);
		if (narrow) {
			pen.fillText(label, 0, y - 9);
			pen.textAlign = "right";
			pen.fillText(bytes, width, y - 9);
		} else {
			pen.fillText(label, 0, y + LANE / 2);
			pen.textAlign = "right";
			pen.fillStyle = C.muted;
			pen.fillText(bytes, left - 12, y + LANE / 2);
		}
		pen.textAlign = "left";
		pen.font = "11px system-ui, sans-serif";
		drawLane(pen, lane, y, left, width - left, there[at], shot);
	});
	const picked = shapes.find((shape) => L.start[shape.i] === S.pick);
	if (picked) {
		pen.strokeStyle = C.text;
		pen.lineWidth = 2;
		pen.strokeRect(picked.x - 1, picked.y - 1, picked.w + 2, LANE + 2);
	}
}

// The narrowest that is hit, within a few pixels for the thinnest.
function shapeAt(x, y) {
	let best = null;
	for (const shape of shapes) {
		const near = Math.max(0, (4 - shape.w) / 2);
		if (y >= shape.y && y < shape.y + LANE && x >= shape.x - near &&
		    x < shape.x + shape.w + near && (!best || shape.w <= best.w))
			best = shape;
	}
	return best;
}

function lifeWords(i) {
	const until = L.last[i] ? "to the end" : `to ${time(L.until[i])}`;
	const resident = residentOf(i, shotAt(S.t));
	return [
		["mapping", `${D.groups[L.group[i]][0]}, ${D.groups[L.group[i]][1]}`],
		["addresses", `${hex(L.start[i])} – ${hex(L.start[i] + L.size[i])}`],
		["size", `${size(L.size[i])}${resident === null ? "" : `, ${size(resident)} resident`}`],
		["protection", `${protection(L.prot[i], L.flags[i])}, ${patternWords[patternOf(L.prot[i])]}`],
		["there", `from ${time(L.from[i])} ${until}`],
		["made by", L.call[i] >= FACT ? "execve, the kernel or goload"
			: calls.get(L.call[i]) || `system call ${L.call[i]}`],
		...D.texts[L.path[i]] ? [["file", D.texts[L.path[i]]]] : [],
	];
}

function stackList(stack) {
	const frames = stackFrames(stack);
	if (!frames.length)
		return el("p", { class: "muted" }, stack === OTHERS
			? "Of many stacks; they are not told apart."
			: "No call of the program: execve, or the kernel.");
	const list = el("ol", { class: "stack" }, ...frames.map((frame) => el("li", null,
		el("span", { class: "function" }, frameName(frame)),
		el("span", { class: "muted" },
			` ${framePlace(frame)}${frameInlined(frame) ? " (inlined)" : ""}`))));
	if (stackCut(stack))
		list.append(el("li", { class: "muted" }, "… the stack was cut here"));
	return list;
}

function showPicked(box) {
	let found = -1;
	for (let i = 0; i < L.count && S.pick !== null; i++)
		if (L.start[i] === S.pick && isThere(i, S.t))
			found = i;
	if (found < 0) {
		fill(box, el("p", { class: "muted" }, S.pick === null
			? "Click a mapping, or use the arrow keys, to see who made it."
			: `Nothing begins at ${hex(S.pick)} at this moment.`));
		return;
	}
	fill(box, el("dl", null, ...lifeWords(found).flatMap(([name, value]) =>
		[el("dt", null, name), el("dd", null, value)])), stackList(L.stack[found]));
}

function stepPick(by) {
	const order = shapes.slice().sort((a, b) => L.start[a.i] - L.start[b.i]);
	const at = order.findIndex((shape) => L.start[shape.i] === S.pick);
	if (order.length)
		set({ pick: L.start[order[clamp(at + by, 0, order.length - 1)].i] });
}

function laneKeys(event) {
	const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1,
		PageDown: 10, PageUp: -10 }[event.key];
	if (event.key === "Escape")
		set({ pick: null });
	else if (step)
		stepPick(step);
	else
		return;
	event.preventDefault();
}

function protectionKey() {
	const list = el("ul", { class: "key" });
	for (const sort of ["none", "r", "w", "x"]) {
		const canvas = el("canvas", { class: "swatch wide", "aria-hidden": "true" });
		const pen = context(canvas, 26, 12);
		pen.fillStyle = pattern(pen, C.muted, sort);
		pen.fillRect(0, 0, 26, 12);
		list.append(el("li", null, canvas, patternWords[sort]));
	}
	const full = el("i", { class: "swatch full" });
	full.style.background = C.muted;
	list.append(el("li", null, full, "resident"));
	return list;
}

function makeAddresses() {
	makeLanes();
	const canvas = el("canvas", { tabindex: "0", role: "img",
		"aria-label": "Mappings by address; arrow keys go from one to the next, and the table below has all of them" });
	const box = el("div", { class: "lanes" }, canvas);
	const key = el("div");
	const picked = el("div", { class: "picked", "aria-live": "polite" });
	const note = el("p", { class: "note" });
	const table = alternative("These mappings as a table",
		["addresses", "size", "protection", "kind", "owner", "from", "until"],
		() => shapes.slice().sort((a, b) => L.start[a.i] - L.start[b.i])
			.slice(0, 2000).map(({ i }) => [
				`${hex(L.start[i])} – ${hex(L.start[i] + L.size[i])}`,
				size(L.size[i]), protection(L.prot[i], L.flags[i]),
				D.groups[L.group[i]][0], D.groups[L.group[i]][1],
				time(L.from[i]), L.last[i] ? "the end" : time(L.until[i])]));
	const draw = () => {
		const width = Math.floor(box.clientWidth);
		if (!width)
			return;
		drawLanes(canvas, width);
		fill(key, protectionKey());
		showPicked(picked);
		const more = D.rest.count ? ` ${grouped.format(D.rest.count)} smaller or shorter ones are in the sums, not here.` : "";
		const shot = shotAt(S.t);
		const resident = shot === null ? "" : shot
			? ` What was resident is as of ${time(shot.t)}.`
			: " What was resident then is not known.";
		note.textContent = `${count(shapes.length, "mapping")} at ${time(S.t)}.` +
			resident + more;
		table.draw();
	};
	const where = (event) => {
		const place = canvas.getBoundingClientRect();
		return shapeAt(event.clientX - place.left, event.clientY - place.top);
	};
	canvas.addEventListener("click", (event) => {
		const shape = where(event);
		set({ pick: shape ? L.start[shape.i] : null });
	});
	canvas.addEventListener("keydown", laneKeys);
	hint(canvas, (event) => {
		const shape = where(event);
		return shape && lifeWords(shape.i).slice(0, 5).map(([, value]) => value);
	});
	hear(draw);
	new ResizeObserver(soon(draw)).observe(box);
	return section("addresses", "Address space",
		el("div", { class: "tools" }, choice("scale", "lanes",
			[["even", "small ones wider"], ["true", "true"]])),
		note, key, box, picked, table);
}
