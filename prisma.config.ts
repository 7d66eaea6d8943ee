import process from 'node:process';
import { defineConfig } from 'prisma/config';

// `prisma generate` needs no schema engine, yet fetches one unless told where it is. Migrations are applied by
// src/store/migrate.ts, so any harmless executable will do; who wants `prisma migrate` itself sets the variable.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath;

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
