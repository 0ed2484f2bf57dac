import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

it('a task that is warned of its time limit stops the command, and is put back into the queue when it has ended', async () => {
  // As it is where Tweedie is installed.
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'));
  const long = JSON.parse(readFileSync(join(folder, 'wells.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'long.json'), JSON.stringify({ ...long, samples: 5000 }));
  await tweedie(['slurm', 'long.json', '--out', 'long', '--tasks', '1', '--cpus', '1'], { cwd: folder });
  writeFileSync(join(folder, 'scontrol'), '#!/bin/sh\necho "scontrol $*"\n', { mode: 0o755 });
  const task = spawn('bash', ['-c', 'exec bash long.sbatch 2>&1'], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${folder}:${process.env['PATH']}`,
      SLURM_ARRAY_JOB_ID: '7',
      SLURM_ARRAY_TASK_ID: '0',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let log = '';
  task.stdout.on('data', (part) => {
    if (!log.includes('sampling') && String(part).includes('sampling')) task.kill('SIGUSR1');
    log += String(part);
  });
  await new Promise((resolve) => task.on('close', resolve));
  expect(log).toMatch(
    /To resume: npx tweedie compare long\.json [^\n]*\n(\[1\].*Terminated.*\n)?scontrol requeue 7_0\n$/,
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
