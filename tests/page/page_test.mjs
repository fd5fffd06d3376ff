// The page of `foveal explain --format html` in a browser: what a pointer, a finger and a keyboard get.
//
// usage: node tests/page/page_test.mjs FOVEAL   (needs chromium, and playwright-core in build/node)
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { launch, root } from './browser.mjs';

const foveal = resolve(process.argv[2] ?? join(root, 'build/release/foveal'));
const folder = mkdtempSync(join(tmpdir(), 'foveal-page-'));
// A page of ten thousand cells, which take a browser seconds: where nobody waits.
const large = process.env.CI ? ['forty_tokens'] : [];
const input = (name) => join(root, 'examples/inputs', `${name}.json`);

let browser;
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

let pages = 0;
function explain(...options) {
  const file = join(folder, `${pages++}.html`);
  execFileSync(foveal, ['explain', ...options, '--format', 'html', '--out', file]);
  return pathToFileURL(file).href;
}

// Opens a page, runs `look` on it, and sees that nothing was logged or asked of the network meanwhile.
async function open(url, look, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (message) => wrong.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`error: ${error}`));
  page.on('dialog', (dialog) => { wrong.push('dialog'); dialog.dismiss(); });
  page.on('request', (request) => {
    if (!request.url().startsWith(url.split('#')[0]) && !request.url().startsWith('data:')) wrong.push(request.url());
  });
  await page.goto(url);
  await look(page);
  assert.deepEqual(wrong, []);
  await context.close();
}

// A cell by the name that --cell gives it.
async function cell(page, name) {
  const handle = await page.evaluateHandle((wanted) => {
    const matrices = JSON.parse(document.getElementById('data').textContent).matrices;
    const [, step, list] = /^(\w+)\[([\d,]+)\]$/.exec(wanted);
    const number = matrices.findIndex((matrix) => matrix.name === step);
    const indices = list.split(',').map(Number);
    const head = matrices[number].heads ? indices.shift() : 0;
    const table = document.querySelector(`table[data-matrix="${number}"][data-head="${head}"]`);
    const [row, column] = indices.length === 1 ? [0, indices[0]] : indices;
    return table.tBodies[0].rows[row].cells[column + 1];
  }, name);
  return handle.asElement();
}

// {queries: ['0,1', ...]}: what is lit with one of `classes`, by step; "row,column".
const lit = (page, ...classes) => page.evaluate((names) => {
  const matrices = JSON.parse(document.getElementById('data').textContent).matrices;
  const found = {};
  for (const name of names) {
    for (const element of document.querySelectorAll(`td.${name}`)) {
      const step = matrices[element.closest('table').dataset.matrix].name;
      (found[step] ??= []).push(`${element.parentElement.sectionRowIndex},${element.cellIndex - 1}`);
    }
  }
  return found;
}, classes);

const text = (page, selector) => page.locator(`#panel ${selector}`).textContent();
const all = (rows, columns) =>
  Array.from({ length: rows * columns }, (_, i) => `${Math.floor(i / columns)},${i % columns}`);

test('a pointed-at cell shows its arithmetic and lights every step before it', () =>
  open(explain(), async (page) => {
    await (await cell(page, 'weights[0,2]')).hover();
    assert.equal(await text(page, '.letters'), 'weights[0,2] = e^scores[0,2] / Σ_j e^scores[0,j]');
    assert.equal(await text(page, '.numbers'), '= e^3 / (e^4 + e^5 + e^3) = 0.0900');
    assert.equal(await text(page, 'h2'), 'Weights: The → sat');
    assert.deepEqual(await lit(page, 'selected'), { weights: ['0,2'] });
    assert.deepEqual(await lit(page, 'lit1'), { scores: ['0,0', '0,1', '0,2'] });
    assert.deepEqual(await lit(page, 'lit2'), { queries: ['0,0', '0,1'], keys: all(3, 2) });
    assert.deepEqual(await lit(page, 'lit3'), { inputs: all(3, 3), W_query: all(3, 2), W_key: all(3, 2) });
  }));

test('the context comes from all of it, values too', () =>
  open(explain(), async (page) => {
    await (await cell(page, 'context[1,0]')).hover();
    const found = await lit(page, 'lit1', 'lit2', 'lit3');
    assert.deepEqual(Object.keys(found).sort(),
      ['W_key', 'W_query', 'W_value', 'inputs', 'keys', 'queries', 'scores', 'values', 'weights']);
    assert.deepEqual(found.values, ['0,0', '1,0', '2,0']);
    assert.deepEqual(found.scores, ['1,0', '1,1', '1,2']);
  }));

test('when the pointer goes, the selected cell is shown again', () =>
  open(explain(), async (page) => {
    await (await cell(page, 'scores[1,1]')).click();
    await (await cell(page, 'weights[2,0]')).hover();
    assert.match(await text(page, '.letters'), /^weights\[2,0\]/);
    await page.locator('h1').hover();
    assert.match(await text(page, '.letters'), /^scores\[1,1\]/);
  }));

test('arrow keys walk a matrix, Tab goes to the next, the address keeps the cell, Escape closes', () =>
  open(explain(), async (page) => {
    await (await cell(page, 'scores[0,0]')).focus();
    const at = async () => (await text(page, '.letters')).split(' ')[0];
    const walk = async (key, to) => {
      await page.keyboard.press(key);
      assert.equal(await at(), to, key);
      assert.equal(decodeURIComponent(new URL(page.url()).hash), `#${to}`);
    };
    await walk('ArrowRight', 'scores[0,1]');
    await walk('ArrowDown', 'scores[1,1]');
    await walk('End', 'scores[1,2]');
    await walk('ArrowRight', 'scores[1,2]');
    await walk('ArrowLeft', 'scores[1,1]');
    await walk('Home', 'scores[1,0]');
    await walk('ArrowUp', 'scores[0,0]');
    await walk('ArrowUp', 'scores[0,0]');
    await walk('Tab', 'weights[0,0]');
    await walk('Shift+Tab', 'scores[0,0]');
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#panel').isVisible(), false);
    assert.deepEqual(await lit(page, 'selected', 'lit1', 'lit2', 'lit3'), {});
    assert.equal(new URL(page.url()).hash, '');
  }));

test('a link to a cell opens it', async () => {
  const url = explain(input('two_heads_causal'));
  await open(`${url}#weights[1,5,2]`, async (page) => {
    assert.match(await text(page, '.letters'), /^weights\[1,5,2\]/);
    assert.ok(await (await cell(page, 'weights[1,5,2]')).isVisible());
  });
  await open(`${url}#nothing[9,9]`, async (page) => {
    assert.match(await text(page, '.letters'), /^scores\[/);
  });
});

test('every step tells what --cell tells', async () => {
  for (const name of ['two_heads_causal', 'dropout', 'fully_masked_row', ...large]) {
    await open(explain(input(name)), async (page) => {
      const steps = await page.evaluate(() =>
        JSON.parse(document.getElementById('data').textContent).matrices
          .filter((matrix) => matrix.how).map(({ name, heads, size }) => ({ name, heads, size })));
      for (const { name: step, heads, size: [rows, columns] } of steps) {
        const index = [...(heads ? [1] : []), Math.floor(rows / 2), Math.floor(columns / 3)];
        const wanted = `${step}[${index}]`;
        const how = JSON.parse(execFileSync(foveal, ['explain', input(name), '--cell', wanted, '--json']));
        const shown = await (await cell(page, wanted)).evaluate((element) => {
          element.click();
          const told = (part) => document.querySelector(`#panel ${part}`).textContent;
          return { letters: told('.letters'), numbers: told('.numbers'), lit: document.querySelectorAll('td.lit1').length };
        });
        const minus = (text) => text.replace(/-(?=\d)/g, '−');
        const sources = how.sources.map((source) => `${source.step}[${source.cell}]`);
        assert.deepEqual(shown,
          { letters: minus(how.letters), numbers: `= ${minus(how.numbers)}`, lit: new Set(sources).size }, wanted);
      }
    });
  }
});

test('at phone width a tapped cell shows its arithmetic in view, and nothing scrolls sideways', async () => {
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  for (const name of ['the_cat_sat', 'two_heads_causal', ...large]) {
    await open(explain(input(name)), async (page) => {
      await (await cell(page, 'inputs[1,0]')).tap();
      assert.match(await text(page, '.letters'), /^inputs\[1,0\]/);
      const box = await page.locator('#panel').boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 390 && box.y > 844 / 2 && box.y + box.height <= 845, JSON.stringify(box));
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${name} is ${width} wide`);
      await page.locator('#close').tap();
      assert.equal(await page.locator('#panel').isVisible(), false);
    }, phone);
  }
});

test('light and dark follow the reader', async () => {
  const url = explain();
  const paper = {};
  for (const colorScheme of ['light', 'dark']) {
    await open(url, async (page) => {
      paper[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    }, { colorScheme });
  }
  assert.deepEqual(paper, { light: 'rgb(255, 255, 255)', dark: 'rgb(15, 19, 23)' });
});

test('the followed row and the selected cell have colours of their own', () =>
  open(explain(), async (page) => {
    const colour = (element) => element.evaluate((of) => getComputedStyle(of).outlineColor);
    const row = await page.locator('tr.followed').first();
    const selected = await page.locator('td.selected').first();
    assert.equal(await colour(row), 'rgb(180, 83, 9)');
    assert.equal(await colour(selected), 'rgb(109, 40, 217)');
  }));

test('with forced colours cells, marks and hatches keep their borders', async () => {
  const style = (page) => (selector) => page.locator(selector).first().evaluate((element) => {
      const { borderTopStyle, borderTopWidth, outlineStyle, outlineColor, backgroundImage } = getComputedStyle(element);
      return { border: `${borderTopWidth} ${borderTopStyle}`, outline: outlineStyle, colour: outlineColor, image: backgroundImage };
    });
  await open(explain(input('two_heads_causal')), async (page) => {
    const of = style(page);
    assert.equal((await of('.matrix tbody td')).border, '1px solid');
    assert.match((await of('td.hatched')).image, /^repeating-linear-gradient/);
    assert.equal((await of('td.lit1')).outline, 'solid');
    assert.equal((await of('td.lit2')).outline, 'dashed');
    const row = await of('tr.followed');
    const selected = await of('td.selected');
    assert.deepEqual([row.outline, selected.outline], ['solid', 'solid']);
    assert.notEqual(row.colour, selected.colour);
  }, { forcedColors: 'active' });
  await open(explain(), async (page) => {
    assert.equal((await style(page)('td.wrong')).border, '3px double');
  }, { forcedColors: 'active' });
});

test('without JavaScript it is a document with tables', () =>
  open(explain(), async (page) => {
    const body = await page.locator('body').innerText();
    for (const part of ['Self-attention', '0.6652', 'How The looks at sat', '2·1 + 1·1 = 3', 'The printed numbers']) {
      assert.ok(body.includes(part), part);
    }
    assert.equal(await page.locator('#panel').isVisible(), false);
    assert.equal(await page.locator('table.matrix').count(), 10);
  }, { javaScriptEnabled: false }));

test('hostile tokens stay text', async () => {
  const tokens = ['</script><img src=x onerror=alert(1)>', '"><svg onload=alert(1)>', '\u202eabc', '\u0000', '&lt;b&gt;'];
  const file = join(folder, 'hostile.json');
  writeFileSync(file, JSON.stringify({ tokens, inputs: tokens.map((_, i) => [i, 1 - i]) }));
  await open(explain(file), async (page) => {
    assert.equal(await page.locator('img, svg').count(), 0);
    await (await cell(page, 'scores[0,1]')).hover();
    assert.equal(await text(page, 'h2'), `Scores: ${tokens[0]} → ${tokens[1]}`);
    assert.equal(await page.locator('tbody th').nth(2).innerText(), '⟨U+202E⟩abc');
  });
});
