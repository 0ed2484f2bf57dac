export { cacheFolder } from './cache.ts';
export { createFiles } from './files.ts';
export { type Fetched, fetchFiles, type FetchSettings } from './fetch.ts';
export { decodeImage, decodeStored, encodePng, imageShapeOf } from './images.ts';
