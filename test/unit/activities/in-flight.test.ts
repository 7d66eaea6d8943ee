import { expect, it } from 'vitest';
import { InFlight } from '../../../src/activities/in-flight.ts';

it('joins work of the same key instead of doing it twice', async () => {
  const flights = new InFlight<number>();
  let open: (value: number) => void = () => undefined;
  const gate = new Promise<number>((resolve) => (open = resolve));
  let started = 0;
  const work = (): Promise<number> => {
    started += 1;
    return gate;
  };
  const signal = new AbortController().signal;
  const both = Promise.all([flights.join('k', signal, work), flights.join('k', signal, work)]);
  open(7);
  expect(await both).toEqual([7, 7]);
  expect(started).toBe(1);
});

it('starts again once the work has ended', async () => {
  const flights = new InFlight<number>();
  const signal = new AbortController().signal;
  let started = 0;
  const work = (): Promise<number> => Promise.resolve((started += 1));
  await flights.join('k', signal, work);
  expect(await flights.join('k', signal, work)).toBe(2);
});

it('stops the work when the attempt that joined is told to stop', async () => {
  const flights = new InFlight<string>();
  const first = new AbortController();
  const second = new AbortController();
  const work = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(String(signal.reason)));
    });
  const one = flights.join('k', first.signal, work);
  const two = flights.join('k', second.signal, work);
  second.abort('enough');
  expect(await Promise.all([one, two])).toEqual(['enough', 'enough']);
});
