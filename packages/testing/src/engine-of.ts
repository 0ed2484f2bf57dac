import { type Container, type Engine, NotInstalledError } from '@tweedie/core';

/** The compiling engine or, where its library is missing, the plain one. */
export async function compilingEngine(container: Container): Promise<Engine> {
  try {
    return await container.plugin('engine', { id: 'onnxruntime' });
  } catch (error) {
    if (!(error instanceof NotInstalledError)) throw error;
    return container.plugin('engine', { id: 'eager' });
  }
}
