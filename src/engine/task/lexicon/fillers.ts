// Places and objects that fill the indirect-object sentences, and other small word lists shared by several kinds of text.

/** A word that fills a slot; `heldOut` ones do not occur in that slot in the training split. */
export interface Filler {
  readonly text: string;
  readonly heldOut: boolean;
}

function fillers(inTraining: string, heldOut: string): Filler[] {
  return [
    ...inTraining.split(' ').map((text) => ({ text, heldOut: false })),
    ...heldOut.split(' ').map((text) => ({ text, heldOut: true })),
  ];
}

/** Places one can go to: "the store". 18 in training indirect-object sentences, 6 held out. */
export const places: readonly Filler[] = fillers(
  'store garden restaurant school hospital office house station park library beach market church hotel cafe theater lake bank',
  'museum farm airport bakery zoo gym',
);

/** Things one can give: "a drink". 18 in training indirect-object sentences, 6 held out. */
export const objects: readonly Filler[] = fillers(
  'drink ring bone basketball computer book letter flower apple ticket map pencil sandwich key coat hat gift orange',
  'necklace snack camera guitar umbrella watch',
);

/** Happenings that last some years: "The war lasted from …". 18 in training year spans, 6 held out. */
export const events: readonly Filler[] = fillers(
  'war siege journey reign project trial drought plague strike campaign dispute voyage famine alliance rebellion tour crisis conflict',
  'expedition truce boycott investigation partnership occupation',
);

/** Colors, for repeated sequences and descriptions. */
export const colors: readonly string[] = 'red blue green yellow black white brown gray pink purple'.split(
  ' ',
);

/** What people can feel or be for a while. */
export const moods: readonly string[] =
  'tired happy busy quiet hungry clever proud angry calm young ready brave famous kind nervous sad lonely polite sick rich'.split(
    ' ',
  );

/** What things can be. */
export const qualities: readonly string[] =
  'old new rusty heavy clean dirty expensive empty beautiful dark small large strange cheap bright cold'.split(
    ' ',
  );
