// Whole-page screenshots of FOLDER/NAME.html, light and dark, 1280 and 390 px wide, beside it.
//
// usage: node tests/page/screenshots.mjs FOLDER NAME...
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './browser.mjs';

const [folder, ...names] = process.argv.slice(2);
const browser = await launch();
for (const colorScheme of ['light', 'dark']) {
  for (const width of [1280, 390]) {
    const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme });
    const page = await context.newPage();
    for (const name of names) {
      await page.goto(pathToFileURL(resolve(folder, `${name}.html`)).href);
      await page.screenshot({ path: join(folder, `${name}-page-${colorScheme}-${width}.png`), fullPage: true });
    }
    await context.close();
  }
}
await browser.close();
