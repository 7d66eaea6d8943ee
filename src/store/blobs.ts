import type { BlobStore } from '../tools/tool-deps.ts';
import { now, type Database } from './database.ts';

export function blobStore(database: Database): BlobStore {
  return {
    put: (blob) =>
      database.write((sql) => {
        sql.run(
          `INSERT INTO Blob (id, conversationId, mediaType, sizeBytes, bytes, createdAt)
           VALUES (:id, :conversationId, :mediaType, :sizeBytes, :bytes, :at) ON CONFLICT (id) DO NOTHING`,
          {
            id: blob.id,
            conversationId: blob.conversationId,
            mediaType: blob.mediaType,
            sizeBytes: blob.bytes.length,
            bytes: blob.bytes,
            at: now(),
          },
        );
      }),
    get: (id, range) =>
      database.read(
        (sql) =>
          sql.get<{ bytes: Buffer; sizeBytes: number; mediaType: string }>(
            'SELECT substr(bytes, :from, :length) AS bytes, sizeBytes, mediaType FROM Blob WHERE id = :id',
            { id, from: (range?.offset ?? 0) + 1, length: range?.maxBytes ?? Number.MAX_SAFE_INTEGER },
          ) ?? null,
      ),
  };
}
