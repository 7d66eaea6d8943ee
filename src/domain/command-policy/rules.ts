import type { Call } from './options.ts';
import { fileRules, makeFileSystem } from './rules-files.ts';
import { gitRule } from './rules-git.ts';
import { cloudRule, databaseRule, dockerRule, publishRule, sqlRule } from './rules-services.ts';
import { systemRules } from './rules-system.ts';
import type { Finding } from './verdict.ts';

const sqlClients =
  /^(?:mysql|mariadb|psql|sqlite3?|sqlcmd|sqlplus|duckdb|clickhouse(?:-client)?|cockroach|pgcli|mycli)$/;
const databases = /^(?:redis-cli|valkey-cli|mongo|mongosh|dropdb)$/;
const clouds = /^(?:aws|gcloud|gsutil|az|doctl|s3cmd|rclone|hcloud|mc)$/;

/** Everything the rules know about one command by its name and arguments. */
export function findingsOf(call: Call): readonly Finding[] {
  const own = Object.hasOwn(fileRules, call.name) ? fileRules[call.name] : undefined;
  const system = Object.hasOwn(systemRules, call.name) ? systemRules[call.name] : undefined;
  return [
    ...(own?.(call) ?? []),
    ...(system?.(call) ?? []),
    ...(/^mkfs(?:\.|$)|^newfs_/.test(call.name) ? makeFileSystem(call) : []),
    ...(call.name === 'git' ? gitRule(call) : []),
    ...(call.name === 'docker' || call.name === 'podman' || call.name === 'docker-compose' ? dockerRule(call) : []),
    ...(sqlClients.test(call.name) ? sqlRule(call) : []),
    ...(databases.test(call.name) ? databaseRule(call) : []),
    ...(clouds.test(call.name) ? cloudRule(call) : []),
    ...publishRule(call),
  ];
}
