/** A page in a real browser, for tests of what `compare` and `restore` write. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const remedy = `There is no ${executablePath}; install chromium or set CHROMIUM to its path.`;

/** True where there is no Chromium and nothing demands it: CI does. */
export const skipChromium = !existsSync(executablePath) && process.env['CI'] !== 'true';
if (skipChromium) console.warn(`Skipped: pages in Chromium. ${remedy}`);

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Opened = {
  readonly page: Page;
  /** What the page wrote to the console, and errors. */
  readonly complaints: readonly string[];
  /** Every address that was asked for. */
  readonly requests: readonly string[];
  readonly close: () => Promise<void>;
};

/** Opens a page of HTML from a file of its own. */
export const openInChromium = async (
  text: string,
  viewport: { readonly width: number; readonly height: number },
): Promise<Opened> => {
  if (!existsSync(executablePath)) throw new Error(`CI needs Chromium. ${remedy}`);
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-page-'));
  const file = join(folder, 'page.html');
  writeFileSync(file, text);
  const browser = await chromium.launch({ executablePath, args: flags });
  const page = await browser.newPage({ viewport });
  const [complaints, requests]: [string[], string[]] = [[], []];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  const close = async (): Promise<void> => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { page, complaints, requests, close };
};
