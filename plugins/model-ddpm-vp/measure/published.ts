/**
 * Runs a recipe of a published checkpoint at its real size, with random weights under the names and in the shapes of the
 * checkpoint and photographs that ship in place of its pictures: that it plans and runs, what it takes of memory, and how
 * long the whole would take here. `README.md` beside it has the commands and what they printed.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cardFolder, ConfigError, openRegistry } from '@tweedie/core';
import { compare, type ExperimentInput, plan } from '@tweedie/experiments';
import { readDocument } from '@tweedie/files';
import { type AdmConfig, randomCheckpoint } from '@tweedie/networks';

const { values } = parseArgs({
  options: {
    recipe: { type: 'string', default: 'recipes/ffhq.yaml' },
    operators: { type: 'string', multiple: true },
    methods: { type: 'string', multiple: true },
    pictures: { type: 'string', default: '2' },
    steps: { type: 'string', default: '3' },
    hours: { type: 'boolean', default: false },
  },
});
const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
/** The most memory of this process since the last call, where Linux tells it. */
const peakSince = (): number => {
  try {
    const [, kilobytes = '0'] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    writeFileSync('/proc/self/clear_refs', '5');
    return Number(kilobytes) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
};
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** The recipe with the rows that were asked for, and other pictures. */
function shortened(folder: string): ExperimentInput {
  const { content } = readDocument(values.recipe, { noun: 'experiment', keys: '', start: '' });
  const { images, operators, methods, ...rest } = content() as ExperimentInput;
  const { operators: wanted, methods: rows } = values;
  const chosen = operators.filter((each) => typeof each === 'object' && (wanted?.includes(each.label ?? '') ?? true));
  const labels = chosen.map((each) => (typeof each === 'object' ? each.label : each));
  const dataset = { id: 'folder', options: { path: folder, size: 256 } };
  return {
    ...rest,
    images: { dataset, count: images.count },
    operators: chosen,
    methods: methods
      .filter((each) => typeof each === 'object' && (rows?.includes(each.label ?? '') ?? true))
      .map((each) => {
        if (typeof each === 'string') return each;
        const { perProblem = [], ...row } = each;
        const own = perProblem.filter(({ operator }) => labels.includes(operator));
        return own.length === 0 ? row : { ...row, perProblem: own };
      }),
  };
}

const scratch = mkdtempSync(join(tmpdir(), 'tweedie-published-'));
try {
  process.env['TWEEDIE_CACHE'] = join(scratch, 'cache');
  const folder = join(scratch, 'pictures');
  const shipped = fileURLToPath(new URL('../../dataset-photographs/pictures', import.meta.url));
  const photographs = readdirSync(shipped).filter((name) => name.endsWith('.png'));
  mkdirSync(folder);
  for (let i = 0; i < 200; i++) {
    const name = photographs[i % photographs.length] ?? '';
    symlinkSync(join(shipped, name), join(folder, `${String(i).padStart(5, '0')}.png`));
  }
  const recipe = shortened(folder);
  const id = typeof recipe.model === 'string' ? recipe.model : recipe.model.id;
  const { card } = openRegistry().find('model', id);
  if (card === undefined) throw new ConfigError(values.recipe, `its model ${id} is no published checkpoint.`, '');
  await plan({ recipe }).then(
    () => say('the plan should have missed the weights'),
    (error: unknown) => say(`Without the file: ${String(error)}\n`),
  );
  const place = join(scratch, 'cache', cardFolder(id));
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, card.files[0]?.name ?? ''), randomCheckpoint(card.options as AdmConfig, 1));
  say((await plan({ recipe })).table);
  if (values.hours) say(`\n${(await plan({ recipe, measure: true })).table}`);
  say(`\nMemory so far, the weights were made in it: ${gigabytes(peakSince())}`);
  const peaks = new Map<string, number>();
  const started = performance.now();
  const { json } = await compare({
    recipe,
    overrides: { limit: Number(values.pictures), steps: Number(values.steps) },
    out: join(scratch, 'run'),
    // Cells in this process, whose memory is measured.
    workers: 0,
    onProgress: ({ phase, done, total, label = '' }) => {
      process.stderr.write(`${phase} ${done}/${total} ${label}\n`);
      const row = phase === 'sampling' ? label.replace(/, step .*/, '') : phase;
      peaks.set(row, Math.max(peaks.get(row) ?? 0, peakSince()));
    },
  });
  say(`\n${json.cost.length} rows, ${json.outcome}, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  for (const [row, bytes] of peaks) if (row !== '') say(`Peak memory, ${row}: ${gigabytes(bytes)}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
