// ---- colours --------------------------------------------------------------------

// Okabe and Ito's, without their yellow, then Tol's: those that are next to each
// other can be told apart by those who see fewer colours.
const palette = {
	light: ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
		"#5b4bb5", "#8f8f26", "#882255", "#7d5a3c"],
	dark: ["#3f9fdc", "#e8a90f", "#22b58b", "#d98bb8", "#7cc6f2", "#e8743a",
		"#9587ea", "#b5b546", "#b8527f", "#b08a63"],
};
const themes = {
	light: { ground: "#fcfcfb", text: "#1d2125", muted: "#5d656d",
		rule: "#dfe2e5", faint: "#f1f2f3", other: "#9aa1a8", own: "#c3c8cd",
		reserved: "#7b858e", committed: "#1d2125", resident: "#b3266b",
		sys: "#9a6b00", heap: "#00795a", accent: "#0b62a8" },
	dark: { ground: "#16191c", text: "#e6e8ea", muted: "#9aa3ab",
		rule: "#30363b", faint: "#1e2226", other: "#7d858d", own: "#4b535b",
		reserved: "#8a949d", committed: "#e6e8ea", resident: "#f07fb6",
		sys: "#d6a53a", heap: "#45c79d", accent: "#6fb3ec" },
};
// So that two pages are of the same colours.
const usual = { "page summary": 0, "scavenge index": 1, heap: 2, rodata: 3, bss: 4,
	text: 5, "heap index": 6, "thread stack": 7, "malloc arena": 8 };
let C; // those of the theme
let kindColours; // by group

const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
const printing = window.matchMedia("print");
const isDark = () => !printing.matches &&
	(S.theme ? S.theme === "dark" : systemDark.matches);

// Groups that have most of a bar get a colour of their own; the others are grey.
function rankGroups() {
	const share = D.groups.map(([, owner], group) => {
		const row = D.rows[group];
		if (owner === "goload" || !row)
			return 0;
		return Math.max(row.reserved / (D.totals.reserved || 1),
			row.committed / (D.totals.committed || 1),
			row.resident / (D.totals.resident || 1));
	});
	// What was gone at the end is ranked by what there ever was of it.
	const most = new Map();
	for (let i = 0; i < L.count; i++)
		if (!D.rows[L.group[i]] && !L.own[i])
			most.set(L.group[i], Math.max(most.get(L.group[i]) || 0, L.size[i]));
	for (const [group, bytes] of most)
		share[group] = bytes / (D.totals.peak || 1);
	return share.map((value, group) => [value, group])
		.filter(([value]) => value > 0)
		.sort((x, y) => y[0] - x[0] || x[1] - y[1])
		.map(([, group]) => group);
}

function chooseColours() {
	const name = isDark() ? "dark" : "light";
	C = { ...themes[name], kinds: palette[name], dark: name === "dark" };
	document.documentElement.dataset.theme = name;
	kindColours = D.groups.map(([, owner]) =>
		owner === "goload" ? C.own : C.other);
	const free = new Set(C.kinds.keys());
	const ranked = rankGroups().slice(0, C.kinds.length);
	const give = (group, at) => {
		if (!free.delete(at))
			return false;
		kindColours[group] = C.kinds[at];
		return true;
	};
	const others = ranked.filter((group) => {
		const at = usual[D.groups[group][0]];
		return at === undefined || !give(group, at);
	});
	for (const group of others)
		give(group, [...free][0]);
	patterns.clear();
}

const hasColour = (group) => kindColours[group] !== C.other &&
	kindColours[group] !== C.own;

// ---- patterns: protections, for those who see no colours too -------------------

const patterns = new Map();

// "none": stripes; "r": lines across; "x": dots; "w": plain.
function pattern(pen, colour, sort) {
	const key = colour + sort;
	if (patterns.has(key))
		return patterns.get(key);
	const tile = document.createElement("canvas");
	tile.width = tile.height = 8;
	const draw = tile.getContext("2d");
	draw.fillStyle = mix(colour, C.ground, sort === "none" ? 0.14 : 0.34);
	draw.fillRect(0, 0, 8, 8);
	draw.strokeStyle = draw.fillStyle = mix(colour, C.ground, 0.62);
	draw.lineWidth = 1;
	draw.beginPath();
	if (sort === "none")
		for (const x of [-8, 0, 8]) {
			draw.moveTo(x, 8);
			draw.lineTo(x + 8, 0);
		}
	else if (sort === "r")
		for (const y of [1.5, 5.5]) {
			draw.moveTo(0, y);
			draw.lineTo(8, y);
		}
	else if (sort === "x")
		for (const [x, y] of [[1, 1], [5, 5]])
			draw.fillRect(x, y, 2, 2);
	draw.stroke();
	const made = pen.createPattern(tile, "repeat");
	patterns.set(key, made);
	return made;
}

const patternOf = (prot) => !prot ? "none" : prot & EXEC ? "x"
	: prot & WRITE ? "w" : "r";
const patternWords = { none: "no access: only reserved", r: "read only",
	w: "read and write", x: "executable" };
