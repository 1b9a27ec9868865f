// ---- the run ----------------------------------------------------------------

let D; // what goload wrote: observer/report/html_data.c
let L; // its mappings, as columns

const READ = 1, WRITE = 2, EXEC = 4;
const SHARED = 1, ANONYMOUS = 0x20;
const FACT = 0x10000; // calls from here on are none
const NO_CALL = 0, OTHERS = 1, STACKS = 2; // stacks without frames
const calls = new Map([[9, "mmap"], [12, "brk"], [25, "mremap"], [30, "shmat"],
	[206, "io_setup"], [216, "remap_file_pages"],
	[453, "map_shadow_stack"]]);
const signals = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(" ");

async function unpack(text) {
	const packed = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
	const stream = new Blob([packed]).stream()
		.pipeThrough(new DecompressionStream("gzip"));
	return JSON.parse(await new Response(stream).text());
}

function take(data) {
	D = data;
	L = data.lives;
	L.count = L.start.length;
	D.marks.sort((a, b) => a[0] - b[0]);
	// Ends of the steps of what is not told one by one.
	D.edges = [];
	for (let i = 1; D.rest.count && i <= D.rest.edges; i++)
		D.edges.push(Math.floor(D.head.duration * i / D.rest.edges));
	D.duration = D.head.duration;
	D.own = D.own || [];
	L.own = L.group.map((group) => D.groups[group][1] === "goload");
}

const frameName = (frame) => D.texts[D.frames[frame][0]];
const frameFile = (frame) => D.texts[D.frames[frame][1]];
const frameLine = (frame) => D.frames[frame][2];
const frameModule = (frame) => D.texts[D.frames[frame][3]];
const frameInlined = (frame) => D.frames[frame][4];

// "malloc.go:773", the file of code without lines, or ""
function framePlace(frame) {
	const file = frameFile(frame), module = frameModule(frame);
	if (file)
		return baseName(file) + (frameLine(frame) ? `:${frameLine(frame)}` : "");
	return module ? baseName(module) : "";
}

// Innermost first.
const stackFrames = (stack) => stack < STACKS ? []
	: D.stacks[stack - STACKS].slice(1);
const stackCut = (stack) => stack >= STACKS && D.stacks[stack - STACKS][0] === 1;

function protection(prot, flags) {
	return (prot & READ ? "r" : "-") + (prot & WRITE ? "w" : "-") +
		(prot & EXEC ? "x" : "-") + (flags & SHARED ? "s" : "p");
}

function ended() {
	const { end, status } = D.head;
	if (end === 1)
		return `exit ${status}`;
	if (end === 2)
		return status > 0 && status <= signals.length
			? `SIG${signals[status - 1]}` : `signal ${status}`;
	return end === 3 ? "execve" : "killed, or cut short";
}

// The last index whose value is not above; -1 when there is none.
function before(list, value) {
	let low = 0, high = list.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (list[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}
