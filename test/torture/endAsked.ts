/** Whether somebody wants this program to end: it does after what it is at. The command in this process hears signals as well. */
let asked = false;

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    asked = true;
  });

export function endAsked(): boolean {
  return asked;
}
