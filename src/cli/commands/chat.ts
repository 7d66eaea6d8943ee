import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { runChat } from '../chat/chat.ts';
import { isInteractive, type Io } from '../io.ts';
import { runPipe } from '../pipe.ts';

/** `hermes chat`: the same as `hermes` alone. */
export function command(): Command {
  return new Command('chat')
    .description('talk with the agent; without a terminal it answers the lines of standard input')
    .option('-c, --conversation <name>', 'the conversation to go on with, by name or id (made if new)')
    .option('-m, --model <provider:name>', 'its model from now on')
    .action(async (options: { conversation?: string; model?: string }) => {
      const io: Io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
      const talk = { home: hermesHome(process.env), ...options };
      process.exitCode = await (isInteractive(io) ? runChat(talk, io) : runPipe(talk, io));
    });
}
