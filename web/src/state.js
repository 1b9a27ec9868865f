// ---- what is asked for: all of it stands in the address ------------------------

const defaults = {
	a: 0, b: null, t: null,    // the range and the moment, ns; null: the end
	mode: "there",             // or "made"
	q: "",                     // the search
	sort: "bytes", up: 0,      // the table's column, smallest first
	y: "log",                  // or "linear", "own": the axis of the curves
	za: null, zb: null,        // what part of the time axis is seen
	hide: "",                  // curves that are not
	lanes: "even",             // or "true": the scale of addresses
	pick: null,                // a mapping: its address
	metric: null,              // of the flame graph
	turned: 0,                 // innermost frame first
	zoom: "",                  // its node: numbers of frames
	open: "",                  // rows of the table
	theme: "",                 // "light", "dark"; else what the system says
};
const S = { ...defaults };
const numbers = new Set(["a", "b", "t", "up", "za", "zb", "pick", "turned"]);
const choices = {
	mode: ["there", "made"], y: ["log", "linear", "own"],
	lanes: ["even", "true"], theme: ["", "light", "dark"],
	metric: ["reserved", "committed", "resident", "mappings"],
	sort: ["kind", "owner", "bytes", "reserved", "committed", "resident",
		"mappings", "claim"],
};
const listeners = [];
const hear = (listener) => listeners.push(listener);
let asked = 0, drawn = 0; // how often something else was; what is seen
let known = "";           // the address, as it was read or written last

function readState() {
	known = location.hash.slice(1);
	Object.assign(S, defaults);
	S.b = S.t = D.duration;
	for (const [name, value] of new URLSearchParams(known)) {
		if (!(name in defaults))
			continue;
		if (numbers.has(name)) {
			if (/^\d+$/.test(value))
				S[name] = Number(value);
		} else if (!choices[name] || choices[name].includes(value)) {
			S[name] = value;
		}
	}
	settle();
}

// What cannot be becomes what is next to it.
function settle() {
	S.a = snap(clamp(S.a, 0, D.duration), true);
	S.b = snap(clamp(S.b, S.a, D.duration));
	S.t = snap(clamp(S.t, S.a, S.b));
	if (S.za === null || S.zb === null || S.zb <= S.za)
		S.za = S.zb = null;
	if (!S.metric)
		S.metric = D.totals.reserved ? "reserved" : "committed";
}

// Where not all mappings are told one by one the others are known at the ends of
// equal steps only.
function snap(t, down) {
	if (!D.rest.count || t === 0)
		return t;
	const at = before(D.edges, t);
	if (down || D.edges[at] === t)
		return at < 0 ? 0 : D.edges[at];
	return D.edges[Math.min(at + 1, D.edges.length - 1)];
}

const writeState = (() => {
	let waiting = false;
	return () => {
		if (waiting)
			return;
		waiting = true;
		setTimeout(() => {
			waiting = false;
			if (location.hash.slice(1) !== known)
				return; // somebody else wrote it: it is read next
			if (drawn === asked)
				delete document.documentElement.dataset.busy;
			const words = new URLSearchParams();
			for (const name of Object.keys(defaults)) {
				const usual = name === "b" ? D.duration
					: name === "t" ? S.b
					: name === "metric"
						? D.totals.reserved ? "reserved" : "committed"
						: defaults[name];
				if (S[name] !== usual && S[name] !== null)
					words.set(name, S[name]);
			}
			const hash = words.toString();
			if (known !== hash)
				history.replaceState(null, "", "#" + hash);
			known = location.hash.slice(1);
		}, 120);
	};
})();

function drawNow() {
	drawn = asked;
	computeSelection();
	for (const listener of listeners)
		listener();
	writeState();
}

const draw = soon(drawNow);

// The page is busy until what was asked for is seen, and stands in the address.
function tell() {
	asked++;
	document.documentElement.dataset.busy = "yes";
	draw();
}

// set({q: "heap"}): asks for something else, and all that is seen follows.
function set(change) {
	Object.assign(S, change);
	settle();
	tell();
}
