/** Tasks that are remembered: by the next service, within limits, and whatever is found in the folder. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CbtError } from '../../../../lib/core/errors.js';
import { NotFound, RuntimeFault, Task, type VirtualMachine } from '../../../../lib/facade/vsphere/index.js';
import { Changes } from '../../../../lib/service/vim/collector/changes.js';
import { TaskFolder, type TaskStore } from '../../../../lib/service/vim/taskRecords.js';
import { Tasks } from '../../../../lib/service/vim/tasks.js';
import { eventually } from '../../../helpers/eventually.js';
import { makeTemporaryFolder } from '../../../helpers/temporaryFolder.js';
import { user } from '../../../helpers/vim/service.js';

const vm = { value: 'vm-7', name: 'web', type: 'VirtualMachine' } as unknown as VirtualMachine;
const subject = { method: 'VirtualMachine.CreateSnapshot_Task', entity: vm, entityName: 'web' };
const everything = (): boolean => true;

async function makeFolder(): Promise<TaskFolder> {
  const temporary = await makeTemporaryFolder();
  onTestFinished(() => temporary.remove());
  await writeFile(join(temporary.path, 'host.yaml'), '');
  return TaskFolder.of(temporary.path, join(temporary.path, 'host.yaml'));
}

async function begin(tasks: Tasks, work: () => Promise<unknown>): Promise<string> {
  const viewer = { user: await user('backup', 'backup'), info: {} };
  return (await tasks.add(new Task(subject, work), vm, viewer)).value;
}

const nextOf = async (store: TaskStore): Promise<Tasks> => {
  const tasks = new Tasks(new Changes(), store);
  await tasks.restore();
  return tasks;
};

test('a fault is the same one for the next service, with its fields and the reason in words', async () => {
  const folder = await makeFolder();
  const first = new Tasks(new Changes(), folder);
  const cause = new CbtError('ERR_CBT_TRACKING_LOST', 'gone', { reason: 'CRASHED' });
  const fault = new RuntimeFault('it is gone', {}, cause);
  await begin(first, () => Promise.reject(fault));
  await begin(first, () => Promise.reject(new NotFound('nothing')));
  await first.stop();
  const [told, other] = (await nextOf(folder)).infos(everything);
  expect(told?.error).toBeInstanceOf(RuntimeFault);
  expect(told?.error).toMatchObject({
    _type: 'RuntimeFault',
    message: 'it is gone',
    faultMessage: [{ key: 'qemu-cbt.CRASHED', message: 'gone' }],
  });
  expect(other?.error).toBeInstanceOf(NotFound);
  expect(first.infos(everything).map(({ key, state }) => [key, state])).toEqual(
    (await nextOf(folder)).infos(everything).map(({ key, state }) => [key, state]),
  );
});

test('nobody is shown an end that is not remembered yet', async () => {
  let finish = (): void => undefined;
  const written: string[] = [];
  const store: TaskStore = {
    read: () => Promise.resolve([]),
    write: async ({ state }) => {
      written.push(state);
      if (state !== 'success') return;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    },
    remove: () => Promise.resolve(),
  };
  const tasks = new Tasks(new Changes(), store);
  await begin(tasks, () => Promise.resolve());
  await eventually(() => expect(written).toEqual(['running', 'success']));
  expect([tasks.infos(everything)[0]?.state, tasks.running]).toEqual(['running', 1]);
  finish();
  await eventually(() => expect(tasks.infos(everything)[0]?.state).toBe('success'));
  expect(tasks.running).toBe(0);
});

test('a folder that cannot be written keeps no task from its work, and is told', async () => {
  const told: string[] = [];
  const store: TaskStore = {
    read: () => Promise.resolve([]),
    write: () => Promise.reject(new Error('no space')),
    remove: () => Promise.resolve(),
  };
  const tasks = new Tasks(new Changes(), store, ({ message }) => void told.push(message));
  await begin(tasks, () => Promise.resolve());
  await tasks.stop();
  expect(tasks.infos(everything)[0]?.state).toBe('success');
  expect(told).toEqual(['no space', 'no space']);
});

test('an end that cannot be remembered leaves nothing behind: the next service tells of no failure that was none', async () => {
  const folder = await makeFolder();
  const told: string[] = [];
  const full: TaskStore = {
    read: (...asked) => folder.read(...asked),
    write: (info) => (info.state === 'success' ? Promise.reject(new Error('no space')) : folder.write(info)),
    remove: (key) => folder.remove(key),
  };
  const tasks = new Tasks(new Changes(), full, ({ message }) => void told.push(message));
  await begin(tasks, () => Promise.resolve());
  await tasks.stop();
  expect([tasks.infos(everything)[0]?.state, told]).toEqual(['success', ['no space']]);
  expect((await nextOf(folder)).infos(everything)).toEqual([]);
});

test('at a start nothing is written but what is told otherwise now, and what cannot be read or removed is told and no end', async () => {
  const folder = await makeFolder();
  const first = new Tasks(new Changes(), folder);
  await begin(first, () => Promise.resolve());
  await first.stop();
  const [done] = first.infos(everything);
  const { completeTime: _, ...open } = { ...done!, key: `task-${randomUUID()}` };
  await folder.write({ ...open, state: 'running' } as typeof done & object);
  for (const name of ['a-folder', 'b-folder.json']) await mkdir(join(folder.path, name));
  const write = vi.spyOn(folder, 'write');
  const told: CbtError[] = [];
  const next = new Tasks(new Changes(), folder, (error) => void told.push(error as CbtError));
  await next.restore();
  expect(
    next
      .infos(everything)
      .map(({ state }) => state)
      .sort(),
  ).toEqual(['error', 'success']);
  expect(write.mock.calls.map(([{ key }]) => key)).toEqual([open.key]);
  const messages = told.map(({ message }) => message);
  expect(messages).toEqual(
    expect.arrayContaining([expect.stringContaining('/a-folder'), expect.stringContaining('/b-folder.json')]),
  );
  expect(messages).toHaveLength(2);
  const again = (await nextOf(folder)).infos(everything);
  expect(again.find(({ key }) => key === open.key)?.completeTime).toBe(
    next.infos(everything).find(({ key }) => key === open.key)?.completeTime,
  );
});

test('what is damaged, unfinished, too old or too much goes; the newest stay', async () => {
  const folder = await makeFolder();
  const first = new Tasks(new Changes(), folder);
  for (let at = 0; at < 4; at += 1) await begin(first, () => Promise.resolve());
  await first.stop();
  const [one, two, three, four] = first.infos(everything);
  const old = { ...one!, completeTime: '2020-01-01T00:00:00.000Z' };
  await folder.write(old);
  await writeFile(join(folder.path, `task-${randomUUID()}.json`), '{"version":1');
  await writeFile(join(folder.path, `task-${randomUUID()}.json.${randomUUID()}.part`), '');
  const kept = await folder.read(Date.now() - 60_000, 2, () => undefined);
  expect(kept.map(({ key }) => key)).toEqual([three!.key, four!.key]);
  expect((await readdir(folder.path)).sort()).toEqual([three!, four!].map(({ key }) => `${key}.json`).sort());
  expect(two).toBeDefined();
});
