// ---- over time -----------------------------------------------------------------

const FLOOR = 4096; // the least that a logarithmic axis shows
const curveNames = [
	["reserved", "reserved", "reserved", []],
	["committed", "committed", "committed", []],
	["resident", "resident", "resident", []],
	["sys", "MemStats.Sys", "sys", [6, 3]],
	["heap", "MemStats.HeapInuse", "heap", [2, 3]],
];
let plot = null;

// A function of time that holds each value until the next one; null before `first`.
function steps(times, values, first) {
	return (t) => {
		const at = before(times, t);
		return at < first ? null : at < 0 ? 0 : values[at];
	};
}

// What is resident is sampled: at first nobody had looked yet.
function curves() {
	const stats = D.memstats, points = D.points;
	const all = { reserved: steps(points.t, points.reserved, 0),
		committed: steps(points.t, points.committed, 0),
		resident: steps(points.t, points.resident,
			points.resident.findIndex((bytes) => bytes > 0)) };
	if (stats && stats.t.length) {
		all.sys = steps(stats.t, stats.sys, 0);
		all.heap = steps(stats.t, stats.heapInuse, 0);
	}
	return all;
}

function curveTimes() {
	const times = new Set([0, D.duration, ...D.points.t]);
	if (D.memstats)
		for (const t of D.memstats.t)
			times.add(Math.min(t, D.duration));
	return [...times].sort((a, b) => a - b);
}

// What the search finds, over time: the most in each of many steps.
function foundCurve(measure, times) {
	const change = new Map();
	const add = (t, bytes) => change.set(t, (change.get(t) || 0) + bytes);
	for (let i = 0; i < L.count; i++) {
		if (!matching[i] || (L.prot[i] ? "committed" : "reserved") !== measure)
			continue;
		add(L.from[i], L.size[i]);
		if (!L.last[i])
			add(L.until[i], -L.size[i]);
	}
	const moments = [...change.keys()].sort((a, b) => a - b);
	const rest = new Array(D.edges.length).fill(0);
	for (const step of D.rest.steps)
		if (matchingRest[step[0]])
			rest[step[1]] += measure === "reserved" ? step[6] : step[7];
	let sum = 0, next = 0;
	return times.map((t, at) => {
		const end = at + 1 < times.length ? times[at + 1] : Infinity;
		let most = null;
		while (next < moments.length && moments[next] < end) {
			sum += change.get(moments[next++]);
			most = most === null ? sum : Math.max(most, sum);
		}
		if (most === null)
			most = sum;
		return most + (rest.length ? rest[Math.max(before(D.edges, t), 0)] : 0);
	});
}

function curveData(all) {
	const times = curveTimes();
	const list = [times];
	const most = [];
	for (const [name] of curveNames) {
		const values = all[name] ? times.map(all[name]) : times.map(() => null);
		list.push(values);
		most.push(Math.max(1, ...values.map((value) => value || 0)));
	}
	for (const measure of ["reserved", "committed"]) {
		list.push(matching ? foundCurve(measure, times) : times.map(() => null));
		most.push(most[measure === "reserved" ? 0 : 1]);
	}
	return list.map((values, at) => at === 0 ? values : values.map((value) =>
		value === null ? null
			: S.y === "log" ? Math.max(value, FLOOR)
			: S.y === "own" ? value / most[at - 1] : value));
}

const hidden = (name) => S.hide.split(",").includes(name);

function toggleCurve(name) {
	const names = new Set(S.hide.split(",").filter((word) => word));
	if (!names.delete(name))
		names.add(name);
	set({ hide: [...names].join(",") });
}

// Marks that have a number and a name: threads are one.
function namedMarks() {
	const threads = D.marks.filter((mark) => mark[1] === "thread");
	const named = D.marks.filter((mark) => mark[1] !== "thread");
	if (threads.length)
		named.push([threads[0][0], D.threads === 1 ? "a thread"
			: `${count(D.threads, "thread")}, the first`]);
	return named.sort((a, b) => a[0] - b[0]);
}

function logSplits(low, high) {
	const list = [];
	const wide = Math.log2(high / low) > 24 ? 64 : Math.log2(high / low) > 12 ? 16 : 4;
	for (let value = FLOOR; value <= high * 1.01; value *= wide)
		if (value >= low)
			list.push(value);
	return list;
}

function linearSplits(low, high) {
	let step = 1024;
	while (high / step > 6)
		step *= 2;
	const list = [];
	for (let value = 0; value <= high; value += step)
		list.push(value);
	return list;
}

function timeSplits(low, high, width) {
	const rough = (high - low) / Math.max(2, Math.floor(width / 110));
	const power = 10 ** Math.floor(Math.log10(rough || 1));
	const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
	const list = [];
	for (let t = Math.ceil(low / step) * step; t <= high; t += step)
		list.push(Math.round(t));
	return list;
}

// [mark, number, row] of those that are seen: where they would meet, the later one
// stands higher.
function markRows(place) {
	const last = [], list = [];
	namedMarks().forEach((mark, at) => {
		const x = place(mark[0]);
		let row = 0;
		while (last[row] !== undefined && x - last[row] < 17)
			row++;
		if (row > 5 || S.za !== null && (mark[0] < S.za || mark[0] > S.zb))
			return;
		last[row] = x;
		list.push([mark, at + 1, row]);
	});
	return list;
}

function drawMarks(u) {
	const pen = u.ctx, { left, top, width, height } = u.bbox;
	const ratio = window.devicePixelRatio || 1;
	pen.save();
	pen.font = `${11 * ratio}px system-ui, sans-serif`;
	pen.textAlign = "center";
	pen.textBaseline = "middle";
	for (const mark of D.marks.filter((one) => one[1] === "thread")) {
		const x = Math.round(u.valToPos(mark[0], "x", true));
		if (x < left || x > left + width)
			continue;
		pen.fillStyle = C.muted;
		pen.fillRect(x, top + height - 7 * ratio, ratio, 7 * ratio);
	}
	for (const [[t], number, row] of markRows((moment) => u.valToPos(moment, "x"))) {
		const x = Math.round(u.valToPos(t, "x", true));
		const y = top - (9 + 16 * row) * ratio;
		pen.strokeStyle = mix(C.muted, C.ground, 0.55);
		pen.lineWidth = ratio;
		pen.setLineDash([2 * ratio, 3 * ratio]);
		pen.beginPath();
		pen.moveTo(x + 0.5, y + 7 * ratio);
		pen.lineTo(x + 0.5, top + height);
		pen.stroke();
		pen.setLineDash([]);
		pen.fillStyle = C.ground;
		pen.beginPath();
		pen.arc(x, y, 7 * ratio, 0, 7);
		pen.fill();
		pen.stroke();
		pen.fillStyle = C.text;
		pen.fillText(String(number), x, y + ratio / 2);
	}
	pen.restore();
}

function drawChoice(u) {
	const pen = u.ctx, { left, top, width, height } = u.bbox;
	const ratio = window.devicePixelRatio || 1;
	const at = (t) => clamp(u.valToPos(t, "x", true), left, left + width);
	pen.save();
	pen.fillStyle = C.ground;
	pen.globalAlpha = 0.72;
	pen.fillRect(left, top, at(S.a) - left, height);
	pen.fillRect(at(S.b), top, left + width - at(S.b), height);
	pen.globalAlpha = 1;
	pen.fillStyle = C.accent;
	if (S.a > 0 || S.b < D.duration)
		pen.fillRect(at(S.a), top + height - 3 * ratio,
			Math.max(at(S.b) - at(S.a), ratio), 3 * ratio);
	pen.fillRect(Math.round(at(S.t)) - ratio, top, 2 * ratio, height);
	pen.beginPath();
	pen.moveTo(at(S.t) - 5 * ratio, top);
	pen.lineTo(at(S.t) + 5 * ratio, top);
	pen.lineTo(at(S.t), top + 6 * ratio);
	pen.fill();
	pen.restore();
}

function plotOptions(width, all) {
	const font = "12px system-ui, sans-serif";
	const axis = { stroke: C.muted, font,
		grid: { stroke: C.rule, width: 1 }, ticks: { show: false } };
	const line = (name, label, colour, dash, strength) => ({ label,
		stroke: mix(C[colour], C.ground, strength), width: name.length > 4 ? 2 : 1.5,
		dash, spanGaps: true, points: { show: false },
		show: !hidden(name) && (!all || name in all),
		paths: uPlot.paths.stepped({ align: 1 }) });
	const strength = matching ? 0.35 : 1;
	const rows = markRows((t) => (t - (S.za || 0)) * (width - 104) /
		((S.zb === null ? D.duration : S.zb) - (S.za || 0) || 1));
	const marks = Math.max(0, ...rows.map(([, , row]) => row + 1));
	return {
		width, height: width < 600 ? 260 : 340,
		padding: [8 + 16 * marks, 28, 0, 0],
		legend: { show: false },
		cursor: { y: false, points: { show: false },
			drag: { x: true, y: false, setScale: false } },
		select: { show: true },
		scales: {
			x: { time: false, range: () => [S.za === null ? 0 : S.za,
				S.zb === null ? D.duration || 1 : S.zb] },
			y: { distr: S.y === "log" ? 3 : 1, log: 2,
				range: (u, low, high) => S.y === "log"
					? [FLOOR, Math.max(high * 1.5, FLOOR * 16)]
					: S.y === "own" ? [0, 1.05]
					: [0, Math.max(high * 1.05, 4096)] },
		},
		axes: [
			{ ...axis, size: 34, values: (u, list) => list.map(time),
				splits: (u, at, low, high) => timeSplits(low, high, width) },
			{ ...axis, size: width < 600 ? 62 : 74,
				splits: (u, at, low, high) => S.y === "log"
					? logSplits(low, high) : S.y === "own"
					? [0, 0.25, 0.5, 0.75, 1] : linearSplits(low, high),
				filter: (u, list) => list,
				values: (u, list) => list.map((value) => S.y === "own"
					? `${value * 100} %` : S.y === "log" && value === FLOOR
					? "≤ 4 KiB" : roundSize(value)) },
		],
		series: [{}, ...curveNames.map(([name, label, colour, dash]) =>
			line(name, label, colour, dash, strength)),
		{ ...line("foundReserved", "found, reserved", "reserved", [], 1), width: 2.5,
			show: !!matching && !hidden("reserved") },
		{ ...line("foundCommitted", "found, committed", "committed", [], 1), width: 2.5,
			show: !!matching && !hidden("committed") }],
		hooks: {
			drawClear: [],
			draw: [drawMarks, drawChoice],
			setSelect: [(u) => {
				const { left, width: wide } = u.select;
				if (wide < 3)
					return;
				const from = Math.max(0, Math.round(u.posToVal(left, "x")));
				const to = Math.min(D.duration,
					Math.round(u.posToVal(left + wide, "x")));
				u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
				set({ a: from, b: to, t: to });
			}],
			setCursor: [(u) => showReadout(all,
				u.cursor.left >= 0 ? Math.round(u.posToVal(u.cursor.left, "x"))
					: null)],
		},
	};
}

let readout, chips;

// What the curves say where the pointer is, or at the moment.
function showReadout(all, pointed) {
	const t = pointed === null ? S.t : clamp(pointed, 0, D.duration);
	readout.textContent = `at ${time(t)}`;
	for (const [name, chip] of chips)
		chip.textContent = size(all[name](t));
}

function curveKey(all) {
	chips = new Map();
	readout = el("span", { class: "readout" });
	const list = el("div", { class: "chips" }, readout);
	for (const [name, label, colour, dash] of curveNames) {
		if (!all[name])
			continue;
		const value = el("b");
		const mark = svg("svg", { width: 22, height: 8, "aria-hidden": "true" },
			svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, stroke: C[colour],
				"stroke-width": name.length > 4 ? 3 : 2,
				"stroke-dasharray": dash.join(" ") }));
		chips.set(name, value);
		list.append(el("button", { class: "chip",
			"aria-pressed": String(!hidden(name)),
			onclick: () => toggleCurve(name) }, mark, label, value));
	}
	if (!all.sys && D.memstats && D.memstats.reason)
		list.append(el("span", { class: "muted" },
			`MemStats: ${D.memstats.reason}`));
	return list;
}

function markList() {
	return el("ol", { class: "marks" }, ...namedMarks().map(([t, name]) =>
		el("li", null, el("button", { class: "plain",
			onclick: () => set({ t, a: Math.min(S.a, t), b: Math.max(S.b, t) }) },
		name, el("span", { class: "muted" }, ` ${time(t)}`)))));
}

function makeTime() {
	const all = curves();
	const box = el("div", { class: "plot", role: "img",
		"aria-label": "reserved, committed and resident over time; the table below says the same" });
	const key = el("div");
	const out = el("button", { onclick: () => set({ za: null, zb: null }) },
		"Whole run");
	const zoom = el("button", { onclick: () => set({ za: S.a, zb: S.b }) },
		"Zoom to the range");
	const table = alternative("These curves as a table",
		["time", ...curveNames.filter(([name]) => all[name]).map((row) => row[1])],
		() => curveTimes().filter((t) => t >= S.a && t <= S.b).map((t) =>
			[time(t), ...curveNames.filter(([name]) => all[name])
				.map(([name]) => size(all[name](t)))]));
	let drawn = "";
	const draw = () => {
		const width = Math.floor(box.clientWidth);
		const now = JSON.stringify([width, S.y, S.hide, S.q, S.za, S.zb, C.ground]);
		if (!width)
			return;
		if (now !== drawn) {
			drawn = now;
			if (plot)
				plot.destroy();
			plot = new uPlot(plotOptions(width, all), curveData(all), box);
			plot.over.addEventListener("click", (event) => {
				const x = event.clientX - plot.over.getBoundingClientRect().left;
				const t = clamp(Math.round(plot.posToVal(x, "x")), 0, D.duration);
				if (moved(event))
					return;
				set({ t, a: Math.min(S.a, t), b: Math.max(S.b, t) });
			});
			plot.over.addEventListener("mousedown", pressed);
			plot.over.addEventListener("dblclick", () =>
				set({ a: 0, b: D.duration, t: D.duration, za: null, zb: null }));
			fill(key, curveKey(all));
		} else {
			plot.redraw(false);
		}
		out.disabled = S.za === null;
		zoom.disabled = S.a === (S.za || 0) &&
			S.b === (S.zb === null ? D.duration : S.zb) || S.a === S.b;
		showReadout(all, null);
		table.draw();
	};
	let from = 0;
	const pressed = (event) => { from = event.clientX; };
	const moved = (event) => Math.abs(event.clientX - from) > 3;
	hear(draw);
	new ResizeObserver(soon(draw)).observe(box);
	return section("time", "Over time", el("div", { class: "tools" },
		choice("axis", "y", [["log", "logarithmic"], ["linear", "linear"],
			["own", "each its own"]]), zoom, out),
	el("p", { class: "note" }, "Drag to select a range, click to choose a moment; a double click takes both back."),
	box, key, markList(), table);
}
