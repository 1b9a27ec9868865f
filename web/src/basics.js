// ---- elements, numbers in words, colours ------------------------------------

// Text of others goes into elements as text, never as markup.
function el(tag, properties, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(properties || {})) {
		if (name.startsWith("on"))
			element.addEventListener(name.slice(2), value);
		else if (name === "class")
			element.className = value;
		else if (value === true)
			element.setAttribute(name, "");
		else if (value !== false && value !== null && value !== undefined)
			element.setAttribute(name, value);
	}
	element.append(...children.filter((child) => child !== null));
	return element;
}

function svg(tag, properties, ...children) {
	const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(properties))
		element.setAttribute(name, value);
	element.append(...children);
	return element;
}

function fill(element, ...children) {
	element.replaceChildren(...children.filter((child) => child !== null));
	return element;
}

const grouped = new Intl.NumberFormat("en-US");
const tenths = new Intl.NumberFormat("en-US",
	{ minimumFractionDigits: 1, maximumFractionDigits: 1 });

function count(number, one, many) {
	return `${grouped.format(number)} ${number === 1 ? one : many || one + "s"}`;
}

// As the terminal report has it: MiB up to 10,240, then GiB.
function size(bytes, dash) {
	const units = ["KiB", "MiB", "GiB", "TiB"];
	let value = bytes / 1024, unit = 0, limit = 1024;
	if (bytes === null)
		return "–";
	if (bytes < 1024)
		return bytes === 0 ? (dash ? "–" : "0") : `${bytes} B`;
	while (unit < 3 && value >= limit) {
		value /= 1024;
		limit = 10240;
		unit++;
	}
	return (bytes % 1024 === 0 && unit === 0 ? grouped.format(value)
		: tenths.format(value)) + " " + units[unit];
}

// On an axis: "4 KiB", "64 MiB", "1 TiB"
function roundSize(bytes) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let unit = 0;
	while (unit < 5 && bytes >= 1024) {
		bytes /= 1024;
		unit++;
	}
	return `${Math.round(bytes * 10) / 10} ${units[unit]}`;
}

function time(ns) {
	if (ns === 0)
		return "0 s";
	if (ns < 999.5)
		return `${Math.round(ns)} ns`;
	if (ns < 999500)
		return `${(ns / 1e3).toFixed(ns < 9950 ? 2 : 1)} µs`;
	if (ns < 999.5e6)
		return `${(ns / 1e6).toFixed(ns < 9.95e6 ? 2 : 1)} ms`;
	if (ns < 119.5e9)
		return `${(ns / 1e9).toFixed(2)} s`;
	return ns < 7200e9 ? `${(ns / 60e9).toFixed(1)} min`
		: `${(ns / 3600e9).toFixed(1)} h`;
}

function percent(part, whole) {
	if (!whole || !part)
		return "0 %";
	const value = 100 * part / whole;
	return value < 0.1 ? "< 0.1 %" : `${value.toFixed(1)} %`;
}

const hex = (address) => "0x" + address.toString(16);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

// A mix of two "#rrggbb".
function mix(a, b, share) {
	const part = (text, at) => parseInt(text.slice(at, at + 2), 16);
	return "#" + [1, 3, 5].map((at) => Math.round(
		part(a, at) * share + part(b, at) * (1 - share))
		.toString(16).padStart(2, "0")).join("");
}

// The same function, at most once for each frame that is drawn.
function soon(action) {
	let asked = false;
	return () => {
		if (asked)
			return;
		asked = true;
		requestAnimationFrame(() => {
			asked = false;
			action();
		});
	};
}

// A canvas as large as its element, sharp on every screen.
function context(canvas, width, height) {
	const ratio = window.devicePixelRatio || 1;
	canvas.width = Math.round(width * ratio);
	canvas.height = Math.round(height * ratio);
	canvas.style.height = `${height}px`;
	const pen = canvas.getContext("2d");
	pen.setTransform(ratio, 0, 0, ratio, 0, 0);
	return pen;
}

const letters = new Map();

// The text, or as much of it as is that wide.
function fitted(pen, text, width) {
	const key = pen.font + text;
	let full = letters.get(key);
	if (full === undefined)
		letters.set(key, full = pen.measureText(text).width);
	if (full <= width)
		return text;
	let kept = Math.floor(text.length * width / full) - 1;
	while (kept > 0 && pen.measureText(text.slice(0, kept) + "…").width > width)
		kept--;
	return kept > 1 ? text.slice(0, kept) + "…" : "";
}

// The table of a chart, for those who do not see it; made when it is opened.
function alternative(title, heads, rows) {
	const details = el("details", { class: "alternative" },
		el("summary", null, title));
	const body = el("div", { class: "scroll", tabindex: "0",
		role: "region", "aria-label": title });
	details.append(body);
	const draw = () => {
		if (!details.open)
			return;
		const list = rows();
		fill(body, el("table", null,
			el("caption", { class: "unseen" }, title),
			el("thead", null, el("tr", null, ...heads.map((head) =>
				el("th", { scope: "col" }, head)))),
			el("tbody", null, ...list.map((row) => el("tr", null,
				...row.map((cell, at) => at ? el("td", null, cell)
					: el("th", { scope: "row" }, cell)))))));
	};
	details.addEventListener("toggle", draw);
	details.draw = draw;
	return details;
}
