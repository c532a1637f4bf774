export { backup } from './backup.ts';
export { doctor, measure } from './doctor.ts';
export { forecast } from './forecast.ts';
export { fence } from './fence.ts';
export { ping } from './ping.ts';
export { prune } from './prune.ts';
export { recover } from './recover.ts';
export { unfence } from './unfence.ts';
export { verify } from './verify.ts';
