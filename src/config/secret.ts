import { inspect } from 'node:util';

/**
 * A value that must not be printed. Text, JSON and logs show it masked; only {@link Secret.reveal} gives it out, so
 * every place that uses a key can be found by that word.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return mask(this.#value);
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Stars and the last four characters; of a short value only stars, since four would be most of it. */
export function mask(value: string): string {
  const characters = Array.from(value);
  return characters.length < 12 ? '****' : `****${characters.slice(-4).join('')}`;
}
