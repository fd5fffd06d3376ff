// Walks the cells of the page: a cell that is pointed at, focused or tapped shows its arithmetic, and
// lights every cell it came from. The tables hold the numbers; #data holds, for each step, kinds of
// arithmetic with the numbers left open, and which kind each cell is of.
'use strict';

(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const panel = document.getElementById('panel');
  const how = document.getElementById('how');

  // --- cells: {matrix, index}; index is [head, row, column] as in the trace
  const tables = new Map();
  for (const table of document.querySelectorAll('table.matrix')) {
    tables.set(`${table.dataset.matrix},${table.dataset.head}`, table);
  }

  const tableOf = (cell) => tables.get(`${cell.matrix},${cell.index[0]}`);

  function elementOf(cell) {
    const [firstRow, firstColumn] = data.matrices[cell.matrix].first;
    const row = tableOf(cell)?.tBodies[0].rows[cell.index[1] - firstRow];
    const at = cell.index[2] - firstColumn;
    return at < 0 ? undefined : row?.cells[at + 1];
  }

  function cellOf(element) {
    const table = element.closest('table.matrix');
    const matrix = Number(table.dataset.matrix);
    const [firstRow, firstColumn] = data.matrices[matrix].first;
    const row = element.parentElement.sectionRowIndex + firstRow;
    return { matrix, index: [Number(table.dataset.head), row, element.cellIndex - 1 + firstColumn] };
  }

  const key = (cell) => `${cell.matrix},${cell.index}`;
  const textOf = (cell) => elementOf(cell)?.firstChild.data ?? '?';

  // The indices that name a cell: without the head where the matrix has none.
  function ownIndices(cell) {
    const { heads, vector } = data.matrices[cell.matrix];
    if (vector) return cell.index.slice(2);
    return heads ? cell.index : cell.index.slice(1);
  }

  function fromIndices(matrix, indices) {
    const index = [0, 0, 0];
    index.splice(3 - indices.length, indices.length, ...indices);
    return { matrix, index };
  }

  const nameOf = (cell) => `${data.matrices[cell.matrix].name}[${ownIndices(cell)}]`;

  // --- arithmetic
  function kindOf(cell) {
    const step = data.matrices[cell.matrix].how;
    if (!step) return undefined;
    const rows = tableOf(cell).tBodies[0].rows;
    const [firstRow, firstColumn] = data.matrices[cell.matrix].first;
    const columns = rows[0].cells.length - 1;
    const row = cell.index[0] * rows.length + cell.index[1] - firstRow;
    const [letters, numbers, sources] = step.kinds[step.cells[row * columns + cell.index[2] - firstColumn]];
    return { letters: step.letters[letters], numbers: step.numbers[numbers], sources: step.sources[sources] };
  }

  // Groups of runs that take turns, each along one axis; a negative index refers to the cell's own.
  function sourcesOf(cell) {
    const own = ownIndices(cell);
    const found = [];
    for (const [count, ...runs] of kindOf(cell)?.sources ?? []) {
      for (let turn = 0; turn < count; ++turn) {
        for (const [matrix, axis, ...start] of runs) {
          const indices = start.map((index) => (index < 0 ? own[-1 - index] : index));
          if (axis >= 0) indices[axis] += turn;
          found.push(fromIndices(matrix, indices));
        }
      }
    }
    return found;
  }

  // ⟦2⟧ is the value with that number; ⟦(2⟧ has parentheses if it is negative.
  const fill = (text, values) =>
    text.replace(/⟦(\(?)(\d+)⟧/g, (whole, factor, place) => {
      const value = String(values[place]);
      return factor && value.startsWith('−') ? `(${value})` : value;
    });

  // Of a weight its own score, and the largest of its row.
  function scoresOf(cell, sources) {
    if (data.matrices[cell.matrix].name !== 'weights') return ['', ''];
    const number = (source) => Number(textOf(source).replace('∞', 'Infinity').replaceAll('−', '-'));
    const there = sources.filter(elementOf);
    const own = there.find((source) => String(source.index) === String(cell.index));
    let largest;
    for (const source of there) {
      if (number(source) > (largest ? number(largest) : -Infinity)) largest = source;
    }
    return [own, largest].map((source) => (source ? textOf(source) : ''));
  }

  function arithmeticOf(cell) {
    const kind = kindOf(cell);
    if (!kind) return { letters: `${nameOf(cell)}, given`, numbers: textOf(cell) };
    const own = ownIndices(cell);
    const sources = sourcesOf(cell);
    const [rows, columns] = data.matrices[cell.matrix].size;
    const flat = (cell.index[0] * rows + cell.index[1]) * columns + cell.index[2];
    const letters = [flat, ...own, ...sources.slice(0, 2).flatMap(ownIndices)];
    const numbers = [textOf(cell), ...scoresOf(cell, sources), ...sources.map(textOf), ...own, flat];
    return { letters: fill(kind.letters, letters), numbers: `= ${fill(kind.numbers, numbers)}` };
  }

  // --- light
  let lit = [];

  function light(cell) {
    for (const element of lit) element.classList.remove('lit1', 'lit2', 'lit3', 'selected');
    lit = [];
    if (!cell) return;
    const seen = new Set([key(cell)]);
    const mark = (element, name) => {
      if (!element) return;
      element.classList.add(name);
      lit.push(element);
    };
    mark(elementOf(cell), 'selected');
    let ring = [cell];
    for (let distance = 1; ring.length > 0; ++distance) {
      const next = [];
      for (const source of ring.flatMap(sourcesOf)) {
        if (seen.has(key(source))) continue;
        seen.add(key(source));
        next.push(source);
        mark(elementOf(source), `lit${Math.min(distance, 3)}`);
      }
      ring = next;
    }
  }

  // --- panel
  function paragraph(name, text) {
    const element = document.createElement('p');
    element.className = name;
    element.textContent = text;
    return element;
  }

  function heading(cell) {
    const table = tableOf(cell);
    const element = elementOf(cell);
    const title = document.createElement('h2');
    const label = (from) => {
      const bdi = document.createElement('bdi');
      bdi.textContent = from?.textContent ?? '';
      return bdi;
    };
    const head = data.matrices[cell.matrix].heads ? `, head ${cell.index[0]}` : '';
    const row = element.parentElement.cells[0];
    title.append(`${data.matrices[cell.matrix].title}${head}: `);
    if (row.textContent) title.append(label(row), ' → ');
    title.append(label(table.tHead.rows[0].cells[element.cellIndex]));
    return title;
  }

  function show(cell) {
    light(cell);
    panel.hidden = !cell;
    if (!cell) return;
    const { letters, numbers } = arithmeticOf(cell);
    how.replaceChildren(heading(cell), paragraph('letters', letters), paragraph('numbers', numbers));
  }

  // --- selection: stays when the pointer goes, and in the address
  let selected;

  function select(cell) {
    selected = cell;
    try {
      history.replaceState(null, '', cell ? `#${nameOf(cell)}` : location.pathname + location.search);
    } catch {
      // Some viewers give a page no address of its own.
    }
    show(cell);
  }

  function fromHash() {
    const match = /^#(\w+)\[([\d,]+)\]$/.exec(decodeURIComponent(location.hash));
    if (!match) return undefined;
    const matrix = data.matrices.findIndex((step) => step.name === match[1]);
    if (matrix < 0) return undefined;
    const cell = fromIndices(matrix, match[2].split(',').slice(0, 3).map(Number));
    return elementOf(cell) ? cell : undefined;
  }

  // --- one cell of each table can be reached with Tab; arrow keys move which
  function makeReachable(element) {
    for (const other of element.closest('table').querySelectorAll('td[tabindex="0"]')) other.tabIndex = -1;
    element.tabIndex = 0;
  }

  for (const table of tables.values()) {
    table.setAttribute('role', 'grid');
    const row = table.querySelector('tr.followed') ?? table.tBodies[0].rows[0];
    row.cells[1].tabIndex = 0;
  }

  const steps = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
    Home: [0, -Infinity], End: [0, Infinity],
  };

  function neighbour(element, [rows, columns]) {
    const body = element.closest('tbody').rows;
    const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
    const row = clamp(element.parentElement.sectionRowIndex + rows, 0, body.length - 1);
    return body[row].cells[clamp(element.cellIndex + columns, 1, body[row].cells.length - 1)];
  }

  const cellElement = (event) =>
    (event.target instanceof Element ? event.target.closest('.matrix tbody td') : null);
  const isCell = (element) => element && element.cellIndex > 0;

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return select(undefined);
    const element = cellElement(event);
    if (!isCell(element) || !steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return undefined;
    event.preventDefault();
    const next = neighbour(element, steps[event.key]);
    makeReachable(next);
    return next.focus();
  });

  document.addEventListener('focusin', (event) => {
    const element = cellElement(event);
    if (isCell(element)) select(cellOf(element));
  });

  document.addEventListener('click', (event) => {
    const element = cellElement(event);
    if (!isCell(element)) return;
    makeReachable(element);
    element.focus({ preventScroll: true });
    select(cellOf(element));
  });

  document.addEventListener('pointerover', (event) => {
    if (event.pointerType !== 'mouse') return;
    const element = cellElement(event);
    if (isCell(element)) show(cellOf(element));
  });

  document.addEventListener('pointerout', (event) => {
    if (event.pointerType !== 'mouse') return;
    const to = event.relatedTarget instanceof Element ? event.relatedTarget.closest('.matrix tbody td, #panel') : null;
    if (cellElement(event) && !to) show(selected);
  });

  document.getElementById('close').addEventListener('click', () => select(undefined));
  window.addEventListener('hashchange', () => {
    const cell = fromHash();
    if (cell) select(cell);
  });

  // A link to a cell opens it; else the pair that the page explains is shown, in an address without it.
  const linked = fromHash();
  if (linked) {
    select(linked);
    elementOf(linked).scrollIntoView({ block: 'center', inline: 'center' });
  } else if (data.start) {
    selected = fromIndices(data.start.matrix, data.start.cell);
    show(selected);
  }
})();
