export { type DocumentKind, readDocument, refuseCircle, type WrittenDocument } from './document.ts';
export { cacheFolder } from './cache.ts';
export { createFiles } from './files.ts';
export { checkFile, download, type DownloadSettings, type Expected, sha256OfFile } from './download.ts';
export { type Fetched, fetchFiles, type FetchSettings } from './fetch.ts';
export { getPublished, type GetSettings, type Gotten } from './published.ts';
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
export { writeParts } from './write-parts.ts';
