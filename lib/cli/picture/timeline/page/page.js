/**
 * The live part of the timeline page: draws every row of the table for the part of the disk that is in view, and tells what
 * is below the pointer. Cells are decoded once; every zoom level is summed up from them, so no level can lose a change.
 */
const data = JSON.parse(document.getElementById('data').textContent);
const table = document.getElementById('timeline');
const tip = document.getElementById('tip');
const viewText = document.getElementById('view');
const LEVELS = [0.01, 0.1, 0.5, 0.9];
const OVERVIEW_COLUMNS = 4096;

const size = Math.max(1, data.sizeBytes);
const rows = data.rows.map((row) => (row.cells === undefined ? row : { ...row, ...decode(row) }));
const finest = Math.min(
  size,
  ...rows.flatMap((row) => (row.cells === undefined ? [] : [row.granularityBytes])),
);
/** Closest view: eight blocks, or the disk. */
const leastSpan = Math.min(size, 8 * finest);
const view = { start: 0, end: size };

/** As encodeCells.ts writes them: gap, twice the length and whether it is exact, changed bytes where it is not. */
function decode({ cells, unit }) {
  const bytes = Uint8Array.from(atob(cells), (c) => c.charCodeAt(0));
  const starts = [];
  const ends = [];
  const changed = [];
  let at = 0;
  const number = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  };
  for (let end = 0; at < bytes.length; ) {
    const start = end + number() * unit;
    const length = number();
    end = start + Math.floor(length / 2) * unit;
    starts.push(start);
    ends.push(end);
    changed.push(length % 2 === 1 ? end - start : number() * unit);
  }
  return { starts, ends, changed };
}

/** Index of the first cell that ends behind the offset. */
function firstBehind(row, offset) {
  let low = 0;
  let high = row.ends.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row.ends[middle] > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Changed bytes in each of `count` columns between two offsets, and in `vague` 1 where a cell is not exact. */
function columnsOf(row, start, end, count) {
  const sums = new Float64Array(count);
  const vague = new Uint8Array(count);
  const perColumn = (end - start) / count;
  for (let i = firstBehind(row, start); i < row.starts.length && row.starts[i] < end; i += 1) {
    const density = row.changed[i] / (row.ends[i] - row.starts[i]);
    const from = (Math.max(row.starts[i], start) - start) / perColumn;
    const to = (Math.min(row.ends[i], end) - start) / perColumn;
    const last = Math.min(count - 1, Math.ceil(to) - 1);
    // An edge in the middle of a column is drawn at the column's: a stump beside every bar would say nothing.
    const wide = to - from >= 2;
    for (let n = Math.min(count - 1, Math.floor(from)); n <= last; n += 1) {
      const covered = wide ? 1 : Math.max(Math.min(to, n + 1) - Math.max(from, n), 1e-9);
      sums[n] = Math.min(perColumn, sums[n] + covered * perColumn * density);
      if (density < 1 && wide) vague[n] = 1;
    }
  }
  return { sums, vague, perColumn };
}

function levelOf(share) {
  return share <= 0 ? 0 : 1 + LEVELS.filter((border) => share >= border).length;
}

let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  colours = { track: of('--track'), ink: of('--ink'), levels: [1, 2, 3, 4, 5].map((n) => of(`--l${n}`)) };
}

/** Sizes a canvas to its box, in device pixels; drawing is in CSS pixels. */
function prepare(canvas) {
  const width = Math.max(1, Math.round(canvas.clientWidth));
  const height = Math.max(1, canvas.clientHeight);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  context.scale(canvas.width / width, canvas.height / height);
  return { context, width, height };
}

function drawRow({ row, canvas }) {
  const { context, width, height } = prepare(canvas);
  const { start, end } = view;
  context.fillStyle = colours.track;
  context.fillRect(0, 0, ((Math.min(row.sizeBytes, end) - start) / (end - start)) * width, height);
  const { sums, vague, perColumn } = columnsOf(row, start, end, width);
  for (let n = 0; n < width; ) {
    const level = levelOf(sums[n] / perColumn);
    let until = n + 1;
    while (until < width && levelOf(sums[until] / perColumn) === level && vague[until] === vague[n])
      until += 1;
    if (level > 0) {
      const bar = height * (0.5 + 0.1 * level);
      context.globalAlpha = vague[n] === 1 ? 0.6 : 1;
      context.fillStyle = colours.levels[level - 1];
      context.fillRect(n, height - bar, until - n, bar);
    }
    n = until;
  }
}

/** The whole disk over all intervals, with a frame around what is in view. */
const everything = new Uint8Array(OVERVIEW_COLUMNS);
for (const row of rows) {
  if (row.cells === undefined) continue;
  const { sums } = columnsOf(row, 0, size, OVERVIEW_COLUMNS);
  for (let n = 0; n < sums.length; n += 1) if (sums[n] > 0) everything[n] = 1;
}
const overview = document.createElement('canvas');
overview.className = 'overview';
overview.title = 'The whole disk: drag to move';
overview.setAttribute('role', 'img');
overview.setAttribute('aria-label', 'The whole disk, all intervals together, and the part in view');
function drawOverview() {
  const { context, width, height } = prepare(overview);
  context.fillStyle = colours.track;
  context.fillRect(0, height * 0.3, width, height * 0.4);
  context.fillStyle = colours.levels[1];
  for (let n = 0; n < width; n += 1) {
    const first = Math.floor((n * OVERVIEW_COLUMNS) / width);
    const behind = Math.max(first + 1, Math.ceil(((n + 1) * OVERVIEW_COLUMNS) / width));
    if (everything.subarray(first, behind).includes(1)) context.fillRect(n, height * 0.3, 1, height * 0.4);
  }
  if (view.end - view.start >= size) return;
  const left = (view.start / size) * width;
  const frame = Math.max(4, ((view.end - view.start) / size) * width);
  context.strokeStyle = colours.ink;
  context.strokeRect(Math.min(left, width - frame) + 0.5, 0.5, frame - 1, height - 1);
}

/** Numbers in groups of three, with narrow spaces. */
const grouped = (number) => Math.round(number).toLocaleString('en').replaceAll(',', '\u202f');
const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
function human(bytes) {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${Number.isInteger(value) ? value : value.toPrecision(value >= 1000 ? 4 : 3)} ${UNITS[unit]}`;
}

const ruler = document.createElement('span');
ruler.className = 'ruler';
ruler.setAttribute('aria-hidden', 'true');
function drawRuler() {
  const width = Math.max(1, ruler.clientWidth);
  const perPixel = (view.end - view.start) / width;
  let step = 1;
  const label = (offset) => {
    const unit = offset === 0 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(step) / 10));
    return offset === 0 ? '0' : `${grouped(offset / 1024 ** unit)} ${UNITS[unit]}`;
  };
  while (step / perPixel < label(view.end).length * 8 + 32) step *= 2;
  const ticks = [];
  for (let n = Math.ceil(view.start / step); n * step < view.end; n += 1) {
    const left = (n * step - view.start) / perPixel;
    const tick = document.createElement('span');
    tick.textContent = label(n * step);
    tick.style.left = `${left}px`;
    // The last label would be cut in the middle of a number.
    if (left + tick.textContent.length * 8 < width || ticks.length === 0) ticks.push(tick);
  }
  ruler.replaceChildren(...ticks);
}

const plots = [];
const inSight = new Set();
let asked = false;
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const span = view.end - view.start;
    const bold = document.createElement('b');
    bold.textContent = human(span);
    const whole = span >= size;
    const where = whole
      ? ': the whole disk'
      : ` of ${human(size)}, from ${grouped(view.start)} to ${grouped(view.end)}`;
    viewText.replaceChildren('In view ', bold, where);
    for (const button of document.querySelectorAll('button[data-do]'))
      button.disabled = button.dataset.do === 'in' ? span <= leastSpan : whole;
    drawRuler();
    drawOverview();
    for (const plot of plots) if (inSight.has(plot.canvas)) drawRow(plot);
  });
}

function show(start, span) {
  const length = Math.min(size, Math.max(leastSpan, span));
  view.start = Math.min(Math.max(0, start), size - length);
  view.end = view.start + length;
  hideTip();
  redraw();
}

/** `at`: the place that stays where it is, 0 at the left end of the view and 1 at the right. */
function zoom(factor, at = 0.5) {
  const span = view.end - view.start;
  const next = Math.min(size, Math.max(leastSpan, span * factor));
  show(view.start + at * (span - next), next);
}
const pan = (share) => show(view.start + share * (view.end - view.start), view.end - view.start);

/** Moves to the next change (or the one before) outside the middle of the view, in any interval. */
function jump(forward) {
  const middle = (view.start + view.end) / 2;
  const near = (view.end - view.start) / 512;
  let found;
  for (const row of rows) {
    if (row.cells === undefined) continue;
    let i = firstBehind(row, middle + (forward ? near : -near));
    if (forward && row.starts[i] <= middle + near) i += 1;
    if (!forward) i -= 1;
    const at = (row.starts[i] + row.ends[i]) / 2;
    if (i >= 0 && i < row.starts.length && (found === undefined || forward === at < found)) found = at;
  }
  if (found !== undefined) show(found - (view.end - view.start) / 2, view.end - view.start);
}

function cellsBetween(row, from, to) {
  const first = firstBehind(row, from);
  let behind = first;
  while (behind < row.starts.length && row.starts[behind] < to) behind += 1;
  return [first, behind];
}

/** What the column of a row below the pointer holds, as lines of text. */
function describe(row, x, width) {
  const perPixel = (view.end - view.start) / width;
  const from = view.start + Math.floor(x) * perPixel;
  const to = Math.min(view.end, from + perPixel);
  const at = Math.min(size - 1, Math.floor(view.start + x * perPixel));
  const lines = [`Offset ${human(at)} (${grouped(at)})`];
  const span = (start, end) => `${grouped(start)} to ${grouped(end)}, ${human(end - start)}`;
  if (from >= row.sizeBytes) return ['Behind the end of the disk at that time', row.name, ...lines];
  let [first, behind] = cellsBetween(row, from, to);
  // A bar of one pixel is hard to hit: the nearest one around is meant.
  for (let near = 1; behind === first && near <= 3; near += 1)
    [first, behind] = cellsBetween(row, from - near * perPixel, to + near * perPixel);
  if (behind === first) {
    const start = first === 0 ? 0 : row.ends[first - 1];
    const end = Math.min(row.sizeBytes, row.starts[first] ?? row.sizeBytes);
    return ['Nothing changed here', row.name, span(start, end), ...lines];
  }
  let changed = 0;
  for (let i = first; i < behind; i += 1) changed += row.changed[i];
  const start = row.starts[first];
  const end = row.ends[behind - 1];
  if (behind - first > 1)
    return [`${human(changed)} changed in ${behind - first} places`, row.name, span(start, end), ...lines];
  if (changed === end - start) return [`${human(changed)} changed`, row.name, span(start, end), ...lines];
  return [`${human(changed)} changed somewhere in here`, row.name, span(start, end), ...lines];
}

const cross = document.createElement('div');
cross.id = 'cross';
cross.hidden = true;
function showTip(plot, event) {
  const box = plot.canvas.getBoundingClientRect();
  const x = Math.min(Math.max(0, event.clientX - box.left), box.width - 0.001);
  const lines = describe(plot.row, x, Math.max(1, Math.round(box.width)));
  tip.replaceChildren(
    ...lines.map((line) => {
      const paragraph = document.createElement('p');
      paragraph.textContent = line;
      return paragraph;
    }),
  );
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 16, window.innerWidth - width - 8);
  const below = event.clientY + 20;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below + height > window.innerHeight ? Math.max(8, event.clientY - height - 12) : below}px`;
  const frame = table.getBoundingClientRect();
  cross.hidden = false;
  cross.style.left = `${event.clientX - frame.left}px`;
  cross.style.top = `${table.tBodies[0].getBoundingClientRect().top - frame.top}px`;
}
function hideTip() {
  tip.hidden = true;
  cross.hidden = true;
}

/** Where fingers and the mouse are while they are down. */
const pointers = new Map();
function listen(plot) {
  const { canvas } = plot;
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.clientX);
    table.classList.add('dragging');
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (before === undefined) return showTip(plot, event);
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
    pointers.set(event.pointerId, event.clientX);
    const box = canvas.getBoundingClientRect();
    if (others.length === 0) return pan((before - event.clientX) / box.width);
    const [other] = others;
    const apart = Math.max(8, Math.abs(event.clientX - other));
    zoom(Math.max(8, Math.abs(before - other)) / apart, ((event.clientX + other) / 2 - box.left) / box.width);
  });
  const up = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) table.classList.remove('dragging');
  };
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
  canvas.addEventListener('pointerleave', hideTip);
  canvas.addEventListener('dblclick', (event) => zoom(0.25, event.offsetX / canvas.clientWidth));
  canvas.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 0 ? 1 : 24;
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY))
        return pan((sideways * lines) / canvas.clientWidth);
      zoom(
        Math.exp(Math.max(-240, Math.min(240, event.deltaY * lines)) * 0.004),
        event.offsetX / canvas.clientWidth,
      );
    },
    { passive: false },
  );
}

for (const element of table.querySelectorAll('tr[data-row]')) {
  const row = rows[Number(element.dataset.row)];
  const strip = element.querySelector('.strip');
  if (row?.cells === undefined || strip === null) continue;
  const canvas = document.createElement('canvas');
  canvas.className = 'plot';
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', strip.getAttribute('aria-label'));
  strip.replaceWith(canvas);
  const plot = { row, canvas };
  plots.push(plot);
  listen(plot);
}
table.querySelector('thead .where').replaceChildren(overview, ruler);
table.tabIndex = 0;
table.append(cross);
for (const element of document.querySelectorAll('.tools, .keys')) element.hidden = false;

const KEYS = {
  '+': () => zoom(0.5),
  '=': () => zoom(0.5),
  '-': () => zoom(2),
  0: () => show(0, size),
  ArrowLeft: () => pan(-0.1),
  ArrowRight: () => pan(0.1),
  n: () => jump(true),
  p: () => jump(false),
};
document.addEventListener('keydown', (event) => {
  const act = KEYS[event.key];
  if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
const ACTIONS = { in: () => zoom(0.5), out: () => zoom(2), reset: () => show(0, size) };
for (const button of document.querySelectorAll('button[data-do]'))
  button.addEventListener('click', ACTIONS[button.dataset.do]);

const moveTo = (event) => {
  const span = view.end - view.start;
  show((event.offsetX / overview.clientWidth) * size - span / 2, span);
};
overview.addEventListener('pointerdown', (event) => {
  overview.setPointerCapture(event.pointerId);
  moveTo(event);
});
overview.addEventListener('pointermove', (event) => {
  if (overview.hasPointerCapture(event.pointerId)) moveTo(event);
});

/** Rows out of sight have no memory for pixels. */
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) inSight.add(target);
    else {
      inSight.delete(target);
      target.width = 0;
    }
  }
  redraw();
});
for (const { canvas } of plots) sight.observe(canvas);
new ResizeObserver(redraw).observe(table);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  readColours();
  redraw();
});
readColours();
redraw();
