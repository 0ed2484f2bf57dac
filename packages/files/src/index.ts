export { type DocumentKind, readDocument, refuseCircle, type WrittenDocument } from './document.ts';
export { createFiles } from './files.ts';
export { decodeImage, decodeStored, encodePng, imageShapeOf } from './images.ts';
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
