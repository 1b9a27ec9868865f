// ---- what the search, the range and the moment leave ---------------------------

// The selection: sums by group, and the mappings that make them up.
let X;
let matching = null; // of each mapping: does the search mean it?  null: all
let matchingRest = null;
let searched = null;

function frameTexts(frame) {
	return `${frameName(frame)}\n${frameFile(frame)}\n${frameModule(frame)}`
		.toLowerCase();
}

// Words that all must be found; an address finds what holds it.
function search() {
	if (searched === S.q)
		return;
	searched = S.q;
	const words = S.q.toLowerCase().split(/\s+/).filter((word) => word);
	if (!words.length) {
		matching = matchingRest = null;
		return;
	}
	const groups = D.groups.map(([kind, owner]) => `${kind}\n${owner}`.toLowerCase());
	const frames = D.frames.map((_, frame) => frameTexts(frame));
	const paths = D.texts.map((text) => text.toLowerCase());
	matching = new Uint8Array(L.count).fill(1);
	matchingRest = new Uint8Array(D.rest.group.length).fill(1);
	for (const word of words) {
		const inGroup = groups.map((text) => text.includes(word));
		const inFrame = frames.map((text) => text.includes(word));
		const inStack = [false, false, ...D.stacks.map((stack) =>
			stack.slice(1).some((frame) => inFrame[frame]))];
		const inPath = paths.map((text) => text.includes(word));
		const address = /^0x[0-9a-f]+$/.test(word) ? Number(word) : -1;
		for (let i = 0; i < L.count; i++)
			if (!(inGroup[L.group[i]] || inStack[L.stack[i]] ||
			      inPath[L.path[i]] ||
			      (address >= L.start[i] &&
			       address < L.start[i] + L.size[i])))
				matching[i] = 0;
		for (let i = 0; i < D.rest.group.length; i++)
			if (!(inGroup[D.rest.group[i]] || inStack[D.rest.stack[i]]))
				matchingRest[i] = 0;
	}
}

const isThere = (i, t) => L.from[i] <= t && (L.last[i] || L.until[i] > t);
const wasMade = (i, a, b) => L.from[i] <= b && (L.from[i] > a || a === 0);

// ---- what was resident -----------------------------------------------------

// The shot at a moment: the last one before it, or null at the end, where each
// mapping knows itself; undefined: nothing is known.
function shotAt(t) {
	if (t >= D.duration)
		return null;
	const at = before(D.shots.map((shot) => shot.t), t);
	return at < 0 ? undefined : D.shots[at];
}

// Bytes of a shot that are in [start, end): ranges in part count in part.
function residentIn(shot, start, end) {
	let at = Math.max(before(shot.start, start), 0), sum = 0;
	for (; at < shot.start.length && shot.start[at] < end; at++) {
		const low = Math.max(start, shot.start[at]);
		const high = Math.min(end, shot.start[at] + shot.size[at]);
		if (high > low)
			sum += Math.round(shot.bytes[at] * (high - low) / shot.size[at]);
	}
	return sum;
}

function residentOf(i, shot) {
	if (shot === null)
		return L.resident[i];
	return shot === undefined ? null
		: residentIn(shot, L.start[i], L.start[i] + L.size[i]);
}

// ---- the selection ----------------------------------------------------------

// One mapping for the kernel, in several parts: as the ledger counts them.
function continues(i, last) {
	const nature = 0x40121; // shared, anonymous, growing down, huge pages
	return last >= 0 && L.start[last] + L.size[last] === L.start[i] &&
		L.group[last] === L.group[i] && L.prot[last] === L.prot[i] &&
		((L.flags[last] ^ L.flags[i]) & nature) === 0;
}

function newSum() {
	return { reserved: 0, committed: 0, resident: 0, mappings: 0, lives: [], rest: [] };
}

function addLife(sum, i, resident) {
	sum[L.prot[i] ? "committed" : "reserved"] += L.size[i];
	sum.resident = resident === null || sum.resident === null ? null
		: sum.resident + resident;
	sum.lives.push(i);
}

// The rest's part: [group in the rest, mappings, reserved, committed] of each.
function restSelected() {
	const found = new Map();
	const last = D.edges.indexOf(S.t);
	for (const step of D.rest.steps) {
		const [group, at, made, madeR, madeC, there, thereR, thereC] = step;
		const isMade = S.mode === "made";
		if (isMade ? D.edges[at] <= S.a || D.edges[at] > S.b : at !== last)
			continue;
		if (matchingRest && !matchingRest[group])
			continue;
		const sum = found.get(group) || { group: D.rest.group[group],
			stack: D.rest.stack[group], mappings: 0, reserved: 0,
			committed: 0 };
		sum.mappings += isMade ? made : there;
		sum.reserved += isMade ? madeR : thereR;
		sum.committed += isMade ? madeC : thereC;
		found.set(group, sum);
	}
	return [...found.values()].filter((sum) => sum.mappings);
}

// Rows know more than their mappings do: who has how much of shared pages.
function exact(sums) {
	if (S.q || S.mode !== "there" || S.t < D.duration)
		return;
	D.rows.forEach((row, group) => {
		const sum = sums[group];
		sum.resident = row.resident;
		sum.mappings = row.mappings;
	});
}

function momentResident(sums) {
	const at = before(D.moments, S.t);
	if (S.q || S.mode !== "there" || S.t >= D.duration || at < 0)
		return;
	D.rows.forEach((row, group) => {
		if (row.at.length)
			sums[group].resident = row.at[at];
	});
}

function computeSelection() {
	search();
	const sums = D.groups.map(newSum);
	const made = S.mode === "made";
	const shot = made ? null : shotAt(S.t);
	const chosen = [];
	for (let i = 0; i < L.count; i++)
		if ((!matching || matching[i]) &&
		    (made ? wasMade(i, S.a, S.b) : isThere(i, S.t)))
			chosen.push(i);
	const rest = restSelected();
	for (const i of chosen)
		addLife(sums[L.group[i]], i, residentOf(i, shot));
	for (const part of rest) {
		const sum = sums[part.group];
		sum.reserved += part.reserved;
		sum.committed += part.committed;
		sum.mappings += part.mappings;
		sum.rest.push(part);
	}
	if (made)
		for (const sum of sums)
			sum.mappings += sum.lives.length;
	else
		countMappings(sums, chosen);
	exact(sums);
	momentResident(sums);
	const total = totalOf(sums, (group) => D.groups[group][1] !== "goload");
	// Of which kinds is not known then, but how much it was.
	if (total.resident === null && !S.q)
		total.resident = D.points.resident[before(D.points.t, S.t)] || null;
	X = { sums, chosen, rest, total,
		own: totalOf(sums, (group) => D.groups[group][1] === "goload") };
}

function countMappings(sums, chosen) {
	const order = chosen.slice().sort((x, y) => L.start[x] - L.start[y]);
	let last = -1;
	for (const i of order) {
		if (!continues(i, last))
			sums[L.group[i]].mappings++;
		last = i;
	}
}

function totalOf(sums, wanted) {
	const total = newSum();
	sums.forEach((sum, group) => {
		if (!wanted(group))
			return;
		for (const name of ["reserved", "committed", "mappings"])
			total[name] += sum[name];
		if (sum.resident === null)
			total.resident = null;
		else if (total.resident !== null)
			total.resident += sum.resident;
	});
	return total;
}

// A sentence on what is selected.
function selectionWords() {
	const range = S.a > 0 || S.b < D.duration
		? `from ${time(S.a)} to ${time(S.b)}` : "in the whole run";
	const words = S.mode === "made" ? `Made ${range}`
		: S.t >= D.duration ? "There at the end" : `There at ${time(S.t)}`;
	return words + (S.q ? `, found by “${S.q}”` : "");
}
