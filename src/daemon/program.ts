/** The command line of netwalld. Importing this runs nothing: the manual page is made from it. */
import { Command, Option } from 'commander';
import { VERSION } from '../control/api.ts';

export const program = new Command('netwalld')
  .description('Confines what each service on this host may talk to, by the policies in /etc/netwall.d.')
  .version(VERSION)
  .option('--config <file>', 'configuration (default: /etc/netwall/netwalld.yaml, if it is there)')
  .option('--check', 'validate configuration and policies, apply nothing; exit 4 when something is wrong')
  .option('--once', 'apply once and exit; the rules stay')
  .addOption(new Option('--log-level <level>', 'how much to log; goes before the configuration').choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal']))
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) });
