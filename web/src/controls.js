// ---- parts of the page -------------------------------------------------------------

function section(id, title, ...children) {
	return el("section", { id, "aria-labelledby": `${id}-title` },
		el("h2", { id: `${id}-title` }, title), ...children);
}

// What all of the numbers in a section are of.
function selectionNote() {
	const note = el("p", { class: "note" });
	hear(() => { note.textContent = selectionWords() + "."; });
	return note;
}

// One of a few words.
function choice(label, name, words) {
	const buttons = words.map(([value, word]) => el("button", { "data-value": value,
		onclick: () => set({ [name]: value,
			...name === "turned" || name === "metric" ? { zoom: "" } : {} }) }, word));
	hear(() => {
		for (const button of buttons)
			button.setAttribute("aria-pressed",
				String(String(S[name]) === button.dataset.value));
	});
	return el("span", { class: "choice", role: "group", "aria-label": label,
		"data-name": name }, el("span", { class: "muted" }, label), ...buttons);
}

// ---- what stands at the pointer ------------------------------------------------------

const bubble = el("div", { class: "bubble", role: "presentation" });

function hint(element, words) {
	element.addEventListener("pointermove", (event) => {
		const lines = words(event);
		bubble.classList.toggle("shown", !!lines);
		if (!lines)
			return;
		fill(bubble, ...lines.filter((line) => line)
			.map((line) => el("div", null, line)));
		const { width, height } = bubble.getBoundingClientRect();
		const x = clamp(event.clientX + 14, 4, innerWidth - width - 4);
		const below = event.clientY + 18;
		bubble.style.left = `${x}px`;
		bubble.style.top = `${below + height > innerHeight
			? Math.max(event.clientY - height - 10, 4) : below}px`;
	});
	element.addEventListener("pointerleave", () =>
		bubble.classList.remove("shown"));
}

// ---- time: two ends of a range, and a moment in it -------------------------------------

const TICKS = 10000; // of a slider

function slider(label, name, change) {
	const output = el("output", { class: "when" });
	const input = el("input", { type: "range", min: 0, max: TICKS, step: 1,
		"aria-label": label, "data-name": name,
		oninput: () => change(Math.round(input.value / TICKS * D.duration)) });
	hear(() => {
		const value = Math.round(S[name] / (D.duration || 1) * TICKS);
		if (Math.round(input.value / TICKS * D.duration) !== S[name])
			input.value = value;
		input.setAttribute("aria-valuetext", time(S[name]));
		output.textContent = time(S[name]);
	});
	return el("label", { class: "slider" }, el("span", { class: "muted" }, label),
		input, output);
}

// From the beginning of the range to its end, in eight seconds; where less motion
// is wanted, in sixteen steps.
function player() {
	const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
	const button = el("button", { class: "play", "aria-label": "play" }, "▶ Play");
	let started = null;
	const stop = () => {
		started = null;
		button.textContent = "▶ Play";
		button.setAttribute("aria-label", "play");
	};
	const step = (now) => {
		if (started === null)
			return;
		const share = Math.min((now - started) / 8000, 1);
		const shown = calm.matches ? Math.floor(share * 16) / 16 : share;
		set({ t: Math.round(S.a + (S.b - S.a) * shown) });
		if (share < 1)
			requestAnimationFrame(step);
		else
			stop();
	};
	button.addEventListener("click", () => {
		if (started !== null) {
			stop();
			return;
		}
		button.textContent = "■ Stop";
		button.setAttribute("aria-label", "stop");
		started = performance.now() - (S.t < S.b && S.b > S.a
			? 8000 * (S.t - S.a) / (S.b - S.a) : 0);
		requestAnimationFrame(step);
	});
	return button;
}

function makeControls() {
	const find = el("input", { type: "search", placeholder: "Search: kind, function, file, 0x…",
		"aria-label": "Search", spellcheck: "false", autocomplete: "off",
		oninput: () => set({ q: find.value.trim() }) });
	hear(() => {
		if (find.value.trim() !== S.q)
			find.value = S.q;
	});
	document.addEventListener("keydown", (event) => {
		if (event.key !== "/" || /input|textarea/i.test(event.target.tagName))
			return;
		event.preventDefault();
		find.focus();
		find.select();
	});
	const reset = el("button", { onclick: () => set({ ...defaults, theme: S.theme,
		b: D.duration, t: D.duration }) }, "Reset");
	return el("div", { class: "controls", role: "search" }, find,
		choice("show", "mode", [["there", "there at the moment"],
			["made", "made in the range"]]),
		el("div", { class: "times" },
			slider("from", "a", (t) => set({ a: Math.min(t, S.b) })),
			slider("to", "b", (t) => set({ b: Math.max(t, S.a),
				t: S.t === S.b ? Math.max(t, S.a) : S.t })),
			slider("moment", "t", (t) => set({ t })),
			el("span", { class: "pair" }, player(), reset)));
}
