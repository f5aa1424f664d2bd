/** Numbers among the flags. */
import { InvalidArgumentError } from 'commander';

/** @returns reads a whole number from `min` to `max`, both included, and refuses all else */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  };
}
