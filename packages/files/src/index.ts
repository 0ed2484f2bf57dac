export { type DocumentKind, readDocument, refuseCircle, type WrittenDocument } from './document.ts';
export { cacheFolder } from './cache.ts';
export { createFiles } from './files.ts';
export { type Fetched, fetchFiles, type FetchSettings } from './fetch.ts';
export { decodeImage, decodeStored, encodePng, imageShapeOf } from './images.ts';
export { encodePicture, type PictureEncoding } from './encode.ts';
export {
  checkPlace,
  isWhole,
  makeFolder,
  OTHER_FILE,
  OTHER_RUN,
  partialOf,
  sweepPartials,
  writeError,
  writeWhole,
} from './write.ts';
