// Small values that outlive a page: in this browser (`keep`) or in this tab (`keepInTab`). Nothing here is needed to work:
// where the browser refuses storage, values are forgotten and nobody is told.

const PREFIX = "cinelet.";

class Shelf {
  constructor(open) {
    this.open = open;
  }

  /** The value kept under `name`, or `otherwise`. */
  get(name, otherwise = null) {
    try {
      const text = this.open().getItem(PREFIX + name);
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  }

  /** Keep `value`; null forgets it. */
  set(name, value) {
    try {
      if (value === null) this.open().removeItem(PREFIX + name);
      else this.open().setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // Full or refused: the page works without.
    }
  }
}

export const keep = new Shelf(() => localStorage);
export const keepInTab = new Shelf(() => sessionStorage);
