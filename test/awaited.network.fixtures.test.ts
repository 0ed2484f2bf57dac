/** Networks and checkpoints wait for the U-Net. */
import { existsSync, readdirSync } from 'node:fs';
import { fixtureFolder, fixtureReport } from '@tweedie/testing';

const folder = fixtureFolder('network');
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.io.safetensors')) : [];
fixtureReport('network', 'awaited').awaits('model/unet', files);
