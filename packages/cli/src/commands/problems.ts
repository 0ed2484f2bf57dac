import { Args, Command, Flags } from '@oclif/core';
import { overrideFlags, overridesOf } from '../override-flags.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';

/** `tweedie problems export` writes the problems of a recipe for other programs. */
export class Problems extends Command {
  static override summary = 'Write the problems of a recipe for programs that are not Tweedie.';
  static override description = `Each problem is a safetensors file with the measurement y, what was drawn for the operator (a mask, say) and the clean image x0 where it is known; a small linear operator is beside it as a matrix, <name>.matrix.npy, and problems.json lists all. Samples that a program makes of them become a row of a comparison with
  - id: external
    options: { samples: <folder> }
where the samples [n, H, W, C] of each problem lie in <name>.npy.`;
  static override examples = ['<%= config.bin %> problems export my.yaml --out problems'];
  static override args = {
    action: Args.string({ required: true, options: ['export'], description: 'what to do' }),
    recipe: Args.string({ required: true, description: 'experiment file, YAML or JSON' }),
  };
  static override flags = {
    ...overrideFlags,
    ...registryFlag,
    out: Flags.string({ char: 'o', default: 'problems', helpValue: 'FOLDER', description: 'The folder to write.' }),
    truth: Flags.boolean({ default: true, allowNo: true, description: 'Write the clean images too.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Problems);
    const { exportProblems } = await import('@tweedie/experiments');
    const { folder, problems } = await runLong((running) =>
      exportProblems({
        recipe: args.recipe,
        ...registriesOf(flags),
        overrides: overridesOf(flags),
        out: flags.out,
        truth: flags.truth,
        ...running,
      }),
    );
    this.log(`${problems.length} problems in ${folder}`);
  }
}
