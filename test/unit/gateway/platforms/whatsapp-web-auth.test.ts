import { Curve } from 'baileys';
import { SessionRecord } from 'libsignal';
import { describe, expect, it, vi } from 'vitest';
import type { PlatformInbox } from '../../../../src/gateway/platforms/platform.ts';
import { arrivedChange, loadAuth } from '../../../../src/gateway/platforms/whatsapp_web/auth-state.ts';
import { silenceSignal } from '../../../../src/gateway/platforms/whatsapp_web/quiet.ts';
import { createMemoryInbox } from '../../../support/platforms/memory-inbox.ts';

function recorded(): { inbox: PlatformInbox; saves: string[][]; refuse: (on: boolean) => void } {
  const memory = createMemoryInbox();
  const saves: string[][] = [];
  let refusing = false;
  const save: PlatformInbox['save'] = async (values) => {
    if (refusing) throw new Error('the disk is full');
    saves.push(Object.keys(values));
    await memory.save(values);
  };
  return { inbox: { ...memory, save }, saves, refuse: (on) => (refusing = on) };
}

describe('the keys of a linked device', () => {
  it('are there before anything is connected, and the same after a restart', async () => {
    const { inbox } = recorded();
    const first = await loadAuth(inbox);
    const second = await loadAuth(inbox);
    expect(Buffer.from(second.creds.noiseKey.private)).toEqual(Buffer.from(first.creds.noiseKey.private));
    expect(second.creds.registrationId).toBe(first.creds.registrationId);
  });

  it('change together with the credentials in one transaction', async () => {
    const { inbox, saves } = recorded();
    const auth = await loadAuth(inbox);
    saves.length = 0;
    const setting = auth.keys.set({ 'pre-key': { '1': Curve.generateKeyPair(), '2': Curve.generateKeyPair() } });
    auth.creds.nextPreKeyId = 3;
    auth.touch();
    await setting;
    await auth.flush();
    expect(saves[0]).toEqual(['auth/pre-key/1', 'auth/pre-key/2', 'auth/creds']);
    expect((await loadAuth(inbox)).creds.nextPreKeyId).toBe(3);
  });

  it('count as saved only once they are', async () => {
    const { inbox, refuse } = recorded();
    const auth = await loadAuth(inbox);
    refuse(true);
    auth.creds.nextPreKeyId = 9;
    auth.touch();
    await expect(auth.flush()).rejects.toThrow('the disk is full');
    refuse(false);
    await auth.flush();
    expect((await loadAuth(inbox)).creds.nextPreKeyId).toBe(9);
  });

  it('keep what was decrypted until it is done with, also over a restart', async () => {
    const { inbox } = recorded();
    const auth = await loadAuth(inbox);
    await auth.keys.set(arrivedChange('abc', Buffer.from('a plaintext')));
    const again = await loadAuth(inbox);
    expect((await again.arrived('abc'))?.toString()).toBe('a plaintext');
    await again.done('abc');
    expect(await again.arrived('abc')).toBeNull();
  });

  it('are gone when the device is forgotten', async () => {
    const { inbox } = recorded();
    const auth = await loadAuth(inbox);
    await auth.keys.set({ session: { 'a.0': Buffer.from('x') } });
    await auth.forget();
    expect(await inbox.names('auth/')).toEqual([]);
  });
});

describe('what libsignal prints', () => {
  it('holds no session', () => {
    silenceSignal();
    const printed = vi.spyOn(console, 'info').mockImplementation(() => undefined);
    const record = new SessionRecord() as unknown as {
      sessions: Record<string, { indexInfo: { closed: number } }>;
      openSession(session: unknown): void;
      closeSession(session: unknown): void;
      removeOldSessions(): void;
    };
    for (let index = 0; index < 45; index += 1) record.sessions[String(index)] = { indexInfo: { closed: -1 } };
    for (const session of Object.values(record.sessions).slice(1)) record.closeSession(session);
    record.removeOldSessions();
    expect(Object.keys(record.sessions)).toHaveLength(40);
    expect(record.sessions['0']?.indexInfo.closed).toBe(-1);
    record.openSession(Object.values(record.sessions)[5]);
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });
});
