import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tweedie } from './start.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-slurm-')));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(
  join(folder, 'wells.json'),
  JSON.stringify({
    model: { id: 'gmm', options: { shape: [1, 2, 1], means: [[-1, 0]], variances: [0.1] } },
    images: { from: 'prior', count: 6 },
    operators: ['identity'],
    sigmaY: 0.5,
    methods: ['none'],
  }),
);

it('tweedie slurm writes a job array of shards and the job that merges them', async () => {
  const argv = ['slurm', 'wells.json', '--out', 'runs/wells', '--tasks', '5', '--throttle', '2', '--steps', '7'];
  const { code, out, err } = await tweedie(argv, { cwd: folder });
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toContain('job=$(sbatch --parsable wells.sbatch)');
  const array = readFileSync(join(folder, 'wells.sbatch'), 'utf8');
  expect(array).toContain('#SBATCH --array=0-4%2\n');
  expect(array).toContain('#SBATCH --requeue\n#SBATCH --signal=B:USR1@60\n');
  expect(array).toContain(
    `cd ${folder}\n\nnpx tweedie compare wells.json --steps 7 --out runs/wells --workers 4 --shard "$SLURM_ARRAY_TASK_ID/5" &\n`,
  );
  expect(readFileSync(join(folder, 'wells.merge.sbatch'), 'utf8')).toContain(
    'npx tweedie merge runs/wells-shard-*-of-5 --out runs/wells\n',
  );
});

it.each([
  [['slurm', 'wells.json', '--time', 'soon'], '[--time] "soon" is no time limit. Give hours:minutes:seconds'],
  [['compare', 'wells.json', '--shard', '4/4'], '[--shard] there is no shard 4 of 4: they begin at 0.'],
  [['merge', 'nowhere', '--out', 'x'], '[nowhere] does not exist.'],
  [['merge', '--out', 'x'], 'no run folder is given.'],
])('refuses %j', async (argv, message) => {
  const { code, out, err } = await tweedie(argv, { cwd: folder });
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
});
