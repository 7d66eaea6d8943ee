import { hermesHome } from '../../config/home.ts';
import type { HermesClient } from '../client/client.ts';
import { connect } from '../client/connect.ts';
import { writeOut } from '../io.ts';

/** Runs an action with a client of the home folder's service and closes it afterwards. */
export async function withClient(action: (client: HermesClient) => Promise<void>): Promise<void> {
  const client = connect(hermesHome(process.env), process.stderr);
  try {
    await action(client);
  } finally {
    client.close();
  }
}

export async function printText(text: string): Promise<void> {
  await writeOut(process.stdout, text);
}

export async function printJson(value: unknown): Promise<void> {
  await writeOut(process.stdout, `${JSON.stringify(value, null, 2)}\n`);
}

/** A pipe gets whole rows. */
export function outputWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Infinity;
}
