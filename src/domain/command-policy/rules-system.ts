import { hasLong, hasShort, operands, subcommand, type Call } from './options.ts';
import { findWrite } from './paths.ts';
import { ask, block, type Finding } from './verdict.ts';

function stopHost(call: Call): Finding[] {
  if (call.args.some((arg) => /^(?:--help|--version|-h)$/.test(arg)) && call.name !== 'shutdown') return [];
  if (call.name === 'shutdown' && call.args.every((arg) => arg === '-c' || arg === '--help') && call.args.length > 0)
    return [];
  return [block('stops or restarts the machine')];
}

function changeRunLevel(call: Call): Finding[] {
  return call.args.some((arg) => /^[016sS]$/.test(arg)) ? stopHost({ ...call, args: [] }) : [];
}

const stopping = /^(?:reboot|poweroff|halt|kexec|suspend|hibernate|hybrid-sleep|soft-reboot|emergency|rescue|exit)$/;

function systemctl(call: Call): Finding[] {
  const [verb = '', ...units] = subcommand(call.args, ['-H', '-M', '-t', '-p', '-n', '-o']);
  if (stopping.test(verb)) return [block('stops or restarts the machine')];
  if (verb === 'isolate' || verb === 'start') {
    if (units.some((unit) => /^(?:reboot|poweroff|halt|rescue|emergency)\.target$/.test(unit))) {
      return [block('stops or restarts the machine')];
    }
  }
  return /^(?:stop|disable|mask|kill|revert|isolate|set-default)$/.test(verb)
    ? [ask(`systemctl ${verb}`, `changes services of the machine (${verb} ${units.join(' ')})`)]
    : [];
}

function service(call: Call): Finding[] {
  const stops = call.args.some((arg) => /^(?:stop|--full-restart)$/.test(arg));
  return stops ? [ask('service stop', 'stops a service of the machine')] : [];
}

function kill(call: Call): Finding[] {
  if (call.args[0] === '-l' || call.args[0] === '-L' || call.args.length === 0) return [];
  const { signal, targets } = killTargets(call.args);
  if (targets.includes('-1')) return [block('kills every process there is')];
  if (signal === '0') return [];
  if (targets.includes('1')) return [block('kills the first process of the machine')];
  const foreign = targets.filter((target) => !target.startsWith('%'));
  return foreign.length === 0 ? [] : [ask('kill', 'ends processes by their number')];
}

function killTargets(args: readonly string[]): { signal: string; targets: readonly string[] } {
  const [first = '', second = ''] = args;
  if (first === '-s' || first === '-n') return { signal: second, targets: withoutDashes(args.slice(2)) };
  // `kill -1` alone is signal 1 to nobody, but `kill -9 -1` and `kill -- -1` are everybody.
  if (/^-\w/.test(first) && args.length > 1) return { signal: first.slice(1), targets: withoutDashes(args.slice(1)) };
  return { signal: 'TERM', targets: withoutDashes(args) };
}

function withoutDashes(args: readonly string[]): readonly string[] {
  return args.filter((arg) => arg !== '--');
}

function killByName(call: Call): Finding[] {
  if (call.name === 'killall5') return [block('kills every process there is')];
  if (call.args.length === 0 || hasShort(call.args, 'l') || call.args.includes('-0')) return [];
  return [ask(call.name, 'ends every process of that name')];
}

function crontab(call: Call): Finding[] {
  if (hasShort(call.args, 'r')) return [ask('crontab -r', 'removes all scheduled commands of the user')];
  if (hasShort(call.args, 'l')) return [];
  return [ask('crontab', 'changes the scheduled commands of the user')];
}

function accounts(call: Call): Finding[] {
  return [ask(call.name, 'changes accounts or rights of the machine')];
}

function firewall(call: Call): Finding[] {
  const opens = call.args.some((arg) => /^(?:-[FXPDAI]|--flush|disable|reset|flush|delete)$/.test(arg));
  return opens ? [ask(call.name, 'changes the firewall')] : [];
}

function launchctl(call: Call): Finding[] {
  const [verb = ''] = operands(call.args);
  if (verb === 'reboot') return [block('stops or restarts the machine')];
  return /^(?:unload|bootout|remove|disable|kill|load|bootstrap)$/.test(verb)
    ? [ask(`launchctl ${verb}`, 'changes services of the machine')]
    : [];
}

function copyKey(): Finding[] {
  return [ask('ssh-copy-id', 'lets a key log in to another machine')];
}

function generateKey(call: Call): Finding[] {
  const file = call.args[call.args.indexOf('-f') + 1];
  const finding = call.args.includes('-f') && file !== undefined ? findWrite(file, call.scope) : null;
  return finding === null ? [] : [finding];
}

function removePackages(call: Call): Finding[] {
  const [verb = ''] = operands(call.args);
  const removes = /^(?:remove|purge|autoremove|erase|uninstall)$/.test(verb) || /^-(?:R|e)/.test(call.args[0] ?? '');
  return removes ? [ask(`${call.name} remove`, 'removes programs of the machine')] : [];
}

function dropMount(call: Call): Finding[] {
  return operands(call.args).length === 0 && !hasLong(call.args, 'all')
    ? []
    : [ask(call.name, 'changes mounted file systems')];
}

export const systemRules: Readonly<Record<string, (call: Call) => Finding[]>> = {
  shutdown: stopHost,
  reboot: stopHost,
  halt: stopHost,
  poweroff: stopHost,
  init: changeRunLevel,
  telinit: changeRunLevel,
  systemctl,
  service,
  launchctl,
  kill,
  pkill: killByName,
  killall: killByName,
  killall5: killByName,
  crontab,
  useradd: accounts,
  userdel: accounts,
  usermod: accounts,
  groupdel: accounts,
  passwd: accounts,
  chpasswd: accounts,
  chsh: accounts,
  visudo: accounts,
  vipw: accounts,
  setfacl: accounts,
  iptables: firewall,
  ip6tables: firewall,
  nft: firewall,
  ufw: firewall,
  'ssh-copy-id': copyKey,
  'ssh-keygen': generateKey,
  apt: removePackages,
  'apt-get': removePackages,
  dnf: removePackages,
  yum: removePackages,
  pacman: removePackages,
  umount: dropMount,
};
