// What a layout is made of, without the library that makes it.

export const NODE = { width: 204, height: 46 };

/** Edge labels are left out of larger pictures until one zooms in. */
export const LABELS_UNTIL = 80;

/** From so many nodes on, a picture is laid out by our own quick way (see `layers.ts`). */
export const QUICK_FROM = 150;

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Top-left corners by id, in the picture's own coordinates. */
export type Layout = Record<string, Box>;
