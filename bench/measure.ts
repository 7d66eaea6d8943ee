import { readFileSync } from 'node:fs';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The target, where there is one; lower is better unless `atLeast`. */
  readonly target?: number;
  readonly atLeast?: boolean;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export async function repeat(count: number, work: (index: number) => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (let index = 0; index < count; index += 1) results.push(await work(index));
  return results;
}

/** Resident memory of a process in megabytes. */
export function residentMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

/** Proportional set size: shared pages are counted once over all processes. */
export function proportionalMb(pid: number): number {
  const line = /^Pss:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

export function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const verdict = row.target === undefined ? '' : met(row) ? 'met' : 'missed';
    const bound = row.target === undefined ? '' : `${row.atLeast === true ? '≥' : '≤'} ${String(row.target)}`;
    return `| ${row.name} | ${row.value.toFixed(row.value < 10 ? 2 : 0)} ${row.unit} | ${bound} | ${verdict} |`;
  });
  return ['| measure | value | target | |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

export function met(row: Row): boolean {
  if (row.target === undefined) return true;
  return row.atLeast === true ? row.value >= row.target : row.value <= row.target;
}
