import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { homePaths } from '../../config/home.ts';
import { supervisorEntry } from '../../workers/supervise/entry.ts';
import { CliError } from '../errors.ts';

/** How the system's own service manager starts a home's supervisor at login. */
export interface Unit {
  readonly kind: 'systemd' | 'launchd';
  readonly name: string;
  readonly path: string;
  readonly content: string;
}

/** The unit of a home on this platform; null where there is no manager we know. Writes nothing. */
export function unitOf(
  home: string,
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): Unit | null {
  // The ordinary home has the plain name; others are told apart by where they are.
  const suffix =
    home === join(homedir(), '.hermes') ? '' : `-${createHash('sha256').update(home).digest('hex').slice(0, 8)}`;
  if (platform === 'linux') {
    const base = env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
    const name = `hermes${suffix}.service`;
    return { kind: 'systemd', name, path: join(base, 'systemd', 'user', name), content: systemdUnit(home, env) };
  }
  if (platform === 'darwin') {
    const name = `hermes-agent${suffix}`;
    const path = join(homedir(), 'Library', 'LaunchAgents', `${name}.plist`);
    return { kind: 'launchd', name, path, content: launchdAgent(name, home, env) };
  }
  return null;
}

function systemdUnit(home: string, env: NodeJS.ProcessEnv): string {
  const { script, nodeArgs } = supervisorEntry();
  const log = homePaths(home).logs.supervisor;
  const command = [process.execPath, ...nodeArgs, script].map(systemdQuote).join(' ');
  // KillMode=process: the supervisor itself drains the service before it ends Temporal, and shell commands that run
  // for a conversation outlive a restart.
  return `[Unit]
Description=Hermes, a personal agent (${home.replaceAll('%', '%%')})
After=network-online.target

[Service]
ExecStart=${command}
Environment=${systemdQuote(`HERMES_HOME=${home}`)}
Environment=${systemdQuote(`PATH=${env['PATH'] ?? '/usr/bin:/bin'}`)}
StandardOutput=append:${log.replaceAll('%', '%%')}
StandardError=append:${log.replaceAll('%', '%%')}
Restart=on-failure
RestartPreventExitStatus=75
RestartSec=1
KillMode=process
TimeoutStopSec=90

[Install]
WantedBy=default.target
`;
}

function systemdQuote(word: string): string {
  return `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}

function launchdAgent(label: string, home: string, env: NodeJS.ProcessEnv): string {
  const { script, nodeArgs } = supervisorEntry();
  const log = homePaths(home).logs.supervisor;
  const text = (value: string): string => `<string>${xmlEscape(value)}</string>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
  <key>Label</key>${text(label)}
  <key>ProgramArguments</key><array>${[process.execPath, ...nodeArgs, script].map(text).join('')}</array>
  <key>EnvironmentVariables</key><dict>
    <key>HERMES_HOME</key>${text(home)}
    <key>PATH</key>${text(env['PATH'] ?? '/usr/bin:/bin')}
  </dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>AbandonProcessGroup</key><true/>
  <key>ExitTimeOut</key><integer>90</integer>
  <key>StandardOutPath</key>${text(log)}
  <key>StandardErrorPath</key>${text(log)}
</dict></plist>
`;
}

function xmlEscape(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Writes the unit and has the system start it now and at every login. Returns lines for the person. */
export function installUnit(home: string, env: NodeJS.ProcessEnv): string[] {
  const unit = unitOf(home, env);
  if (unit === null) {
    throw new CliError(`--install knows systemd and launchd, not ${process.platform}`, {
      hint: 'Have the system run `hermes up --foreground` at start.',
    });
  }
  mkdirSync(dirname(unit.path), { recursive: true });
  mkdirSync(homePaths(home).logsDir, { recursive: true, mode: 0o700 });
  writeFileSync(unit.path, unit.content);
  const written = `wrote ${unit.path}`;
  const commands = unit.kind === 'systemd' ? systemdCommands(unit) : launchdCommands(unit);
  for (const [program = '', ...args] of commands) {
    const problem = tryCommand(program, args);
    if (problem !== null) return [written, `\`${program} ${args.join(' ')}\` did not work: ${problem}`];
  }
  const linger = 'to run it also while you are not logged in: loginctl enable-linger';
  return unit.kind === 'systemd' ? [written, linger] : [written];
}

/** Undoes installUnit; false when nothing was installed. */
export function uninstallUnit(home: string, env: NodeJS.ProcessEnv): boolean {
  const unit = unitOf(home, env);
  if (unit === null || !existsSync(unit.path)) return false;
  if (unit.kind === 'systemd') tryCommand('systemctl', ['--user', 'disable', unit.name]);
  else tryCommand('launchctl', ['bootout', `gui/${process.getuid?.() ?? 0}/${unit.name}`]);
  rmSync(unit.path, { force: true });
  return true;
}

/** Starts the installed unit, so that the service belongs to the system's manager; false when there is none. */
export function startInstalledUnit(home: string): boolean {
  const unit = unitOf(home, process.env);
  if (unit === null || !existsSync(unit.path)) return false;
  const problem =
    unit.kind === 'systemd'
      ? tryCommand('systemctl', ['--user', 'start', '--no-block', unit.name])
      : tryCommand('launchctl', ['kickstart', `gui/${process.getuid?.() ?? 0}/${unit.name}`]);
  // A manager that is not there (a container, a login without a session) must not keep the service from starting.
  return problem === null;
}

function systemdCommands(unit: Unit): string[][] {
  return [
    ['systemctl', '--user', 'daemon-reload'],
    ['systemctl', '--user', 'enable', unit.name],
  ];
}

function launchdCommands(unit: Unit): string[][] {
  return [['launchctl', 'bootstrap', `gui/${process.getuid?.() ?? 0}`, unit.path]];
}

/** Null when it worked, else why not. */
function tryCommand(program: string, args: readonly string[]): string | null {
  const result = spawnSync(program, args, { encoding: 'utf8', timeout: 15_000 });
  if (result.error !== undefined) return result.error.message;
  return result.status === 0 ? null : result.stderr.trim();
}
