// ---- where it comes from: stacks, as wide as their bytes -------------------------

const ROW = 20, ROWS_MOST = 32, ABOVE_MOST = 5;
let tree, boxes = []; // what is drawn: { node, x, y, w }

function newNode(name, place, parent) {
	return { name, place, parent, value: 0, self: 0, kinds: new Map(),
		below: new Map(), depth: parent ? parent.depth + 1 : 0 };
}

function nodeBelow(node, name, place) {
	const key = `${name}\n${place}`;
	let below = node.below.get(key);
	if (!below)
		node.below.set(key, below = newNode(name, place, node));
	return below;
}

// The frames of a stack as [name, place], the outermost first.
function path(stack, group) {
	if (stack === NO_CALL)
		return [["(execve, the kernel)", ""], [D.groups[group][0], ""]];
	if (stack === OTHERS)
		return [["(many stacks)", ""], [D.groups[group][0], ""]];
	const frames = stackFrames(stack).map((frame) =>
		[frameName(frame), framePlace(frame)]);
	if (stackCut(stack))
		frames.push(["(the stack was cut here)", ""]);
	return frames.reverse();
}

function addPath(root, stack, group, value) {
	if (!value)
		return;
	root.pieces++;
	const frames = path(stack, group);
	let node = root;
	if (S.turned)
		frames.reverse();
	for (const step of [null, ...frames]) {
		if (step)
			node = nodeBelow(node, ...step);
		node.value += value;
		node.kinds.set(group, (node.kinds.get(group) || 0) + value);
	}
	node.self += value;
}

function buildTree() {
	const root = newNode("all", "", null);
	root.pieces = 0;
	const shot = S.mode === "made" ? null : shotAt(S.t);
	for (const i of X.chosen) {
		if (L.own[i])
			continue;
		const measure = L.prot[i] ? "committed" : "reserved";
		addPath(root, L.stack[i], L.group[i],
			S.metric === "mappings" ? 1
				: S.metric === "resident" ? residentOf(i, shot) || 0
				: S.metric === measure ? L.size[i] : 0);
	}
	for (const part of X.rest)
		if (D.groups[part.group][1] !== "goload")
			addPath(root, part.stack, part.group, part[S.metric] || 0);
	return root;
}

const inOrder = (node) => [...node.below.values()].sort((a, b) =>
	b.value - a.value || (a.name < b.name ? -1 : 1));

// Which node is zoomed: the places among its neighbours on the way down, by name.
function zoomed() {
	let node = tree;
	for (const word of S.zoom ? S.zoom.split("/") : []) {
		const next = inOrder(node).find((below) => nodeWord(below) === word);
		if (!next)
			break;
		node = next;
	}
	return node;
}

// Short, and the same on every machine.
function nodeWord(node) {
	let sum = 0x811c9dc5;
	for (const c of node.name + "\n" + node.place)
		sum = Math.imul(sum ^ c.codePointAt(0), 0x01000193) >>> 0;
	return sum.toString(36);
}

function wayTo(node) {
	const way = [];
	for (; node.parent; node = node.parent)
		way.unshift(node);
	return way;
}

const wordsTo = (node) => wayTo(node).map(nodeWord).join("/");

function nodeColour(node) {
	let best = -1, most = -1;
	for (const [group, value] of node.kinds)
		if (value > most) {
			best = group;
			most = value;
		}
	return best < 0 ? C.other : kindColours[best];
}

const metricWords = (value) => S.metric === "mappings"
	? count(value, "mapping") : `${size(value)} ${S.metric}`;

function isFound(node) {
	const words = S.q.toLowerCase().split(/\s+/).filter((word) => word);
	const text = `${node.name}\n${node.place}`.toLowerCase();
	return words.length && words.some((word) => text.includes(word));
}

// Of stacks that go on and on the rest is seen by zooming.
function layTree(node, x, w, y, list) {
	const box = { node, x, y, w, more: y >= ROWS_MOST && node.below.size > 0 };
	let at = x;
	list.push(box);
	if (box.more)
		return;
	for (const below of inOrder(node)) {
		const wide = w * below.value / node.value;
		if (wide >= 0.6)
			layTree(below, at, wide, y + 1, list);
		at += wide;
	}
}

function drawFlame(canvas, width) {
	const top = zoomed(), way = [tree, ...wayTo(top)].slice(0, -1);
	if (way.length > ABOVE_MOST)
		way.splice(1, way.length - ABOVE_MOST);
	boxes = [];
	if (top.value) {
		way.forEach((node, y) =>
			boxes.push({ node, x: 0, y, w: width, above: true }));
		layTree(top, 0, width, way.length, boxes);
	}
	const rows = boxes.reduce((most, box) => Math.max(most, box.y + 1), 0);
	const pen = context(canvas, width, Math.max(rows * ROW, 1));
	pen.clearRect(0, 0, width, rows * ROW);
	pen.font = "12px ui-monospace, monospace";
	pen.textBaseline = "middle";
	for (const { node, x, y, w, above, more } of boxes) {
		const colour = node.parent ? nodeColour(node) : C.other;
		const found = isFound(node);
		pen.fillStyle = mix(colour, C.ground, above ? 0.15 : found ? 0.75 : 0.36);
		pen.fillRect(x, y * ROW, Math.max(w - 1, 0.6), ROW - 1);
		if (found) {
			pen.fillStyle = C.text;
			pen.fillRect(x, y * ROW + ROW - 3, Math.max(w - 1, 0.6), 2);
		}
		if (w < 24)
			continue;
		pen.fillStyle = above ? C.muted : found && !C.dark ? "#000000" : C.text;
		pen.fillText(fitted(pen, (more ? "⋯ " : "") + `${node.name}  ${node.place}`, w - 9),
			x + 5, y * ROW + ROW / 2 - 0.5);
	}
	if (cursor) {
		const box = boxes.find((one) => one.node === cursor);
		if (box) {
			pen.strokeStyle = C.text;
			pen.lineWidth = 2;
			pen.strokeRect(box.x + 1, box.y * ROW + 1, Math.max(box.w - 3, 1), ROW - 3);
		}
	}
}

let cursor = null; // the node that the keyboard is at

function flameKeys(event, draw, say) {
	let node = cursor || zoomed();
	const near = node.parent ? inOrder(node.parent) : [node];
	const at = near.indexOf(node);
	if (event.key === "ArrowDown")
		node = inOrder(node)[0] || node;
	else if (event.key === "ArrowUp")
		node = node.parent || node;
	else if (event.key === "ArrowRight")
		node = near[Math.min(at + 1, near.length - 1)];
	else if (event.key === "ArrowLeft")
		node = near[Math.max(at - 1, 0)];
	else if (event.key === "Enter" || event.key === " ")
		set({ zoom: wordsTo(node) });
	else if (event.key === "Escape")
		set({ zoom: "" });
	else
		return;
	event.preventDefault();
	cursor = node;
	say(node);
	draw();
	if (!boxes.some((box) => box.node === node))
		set({ zoom: wordsTo(node.parent) });
}

// Functions, each once, with what it asked for itself and through others.
function functionRows() {
	const sums = new Map();
	const visit = (node, above) => {
		const sum = sums.get(node.name) || { self: 0, all: 0 };
		sum.self += node.self;
		if (!above.has(node.name))
			sum.all += node.value;
		sums.set(node.name, sum);
		const seen = new Set(above).add(node.name);
		for (const below of node.below.values())
			visit(below, seen);
	};
	for (const below of tree.below.values())
		visit(below, new Set());
	return [...sums].sort((a, b) => b[1].all - a[1].all).slice(0, 300);
}

function makeFlame() {
	const canvas = el("canvas", { tabindex: "0", role: "img",
		"aria-label": "Stacks, as wide as what they asked for; arrow keys go from frame to frame, Enter zooms, and the table below has all functions" });
	const box = el("div", { class: "flame" }, canvas);
	const way = el("nav", { class: "way", "aria-label": "zoomed frames" });
	const said = el("p", { class: "note", "aria-live": "polite" });
	const table = alternative("These functions as a table",
		["function", "with what it calls", "by itself"],
		() => functionRows().map(([name, sum]) =>
			[name, metricWords(sum.all), metricWords(sum.self)]));
	const say = (node) => {
		said.textContent = `${node.name} ${node.place}: ${metricWords(node.value)}, ${percent(node.value, tree.value)}`;
	};
	const draw = () => {
		const width = Math.floor(box.clientWidth);
		if (!width)
			return;
		drawFlame(canvas, width);
	};
	hear(() => {
		tree = buildTree();
		cursor = null;
		draw();
		const top = zoomed();
		fill(way, ...top.parent ? [el("button", {
			onclick: () => set({ zoom: "" }) }, "Whole graph"),
		el("span", { class: "muted" }, `zoomed: ${top.name}`)] : []);
		said.dataset.value = tree.value;
		said.textContent = tree.value
			? `${metricWords(tree.value)} in ${count(tree.pieces, "piece")}.`
			: `Nothing ${S.metric === "mappings" ? "mapped" : S.metric} here${S.q ? " that the search finds" : ""}.`;
		table.draw();
	});
	const where = (event) => {
		const place = canvas.getBoundingClientRect();
		const x = event.clientX - place.left;
		const y = Math.floor((event.clientY - place.top) / ROW);
		return boxes.find((one) => one.y === y && x >= one.x && x < one.x + one.w);
	};
	canvas.addEventListener("click", (event) => {
		const found = where(event);
		if (found)
			set({ zoom: wordsTo(found.node) });
	});
	canvas.addEventListener("keydown", (event) => flameKeys(event, draw, say));
	hint(canvas, (event) => {
		const found = where(event);
		return found && [found.node.name, found.node.place,
			`${metricWords(found.node.value)}, ${percent(found.node.value, tree.value)}`];
	});
	new ResizeObserver(soon(draw)).observe(box);
	return section("stacks", "Where it comes from", el("div", { class: "tools" },
		choice("measure", "metric", [["reserved", "reserved"],
			["committed", "committed"], ["resident", "resident"],
			["mappings", "mappings"]]),
		choice("from", "turned", [[0, "outermost"], [1, "innermost"]]), way),
	selectionNote(), box, said, table);
}
