export { backup } from './backup.ts';
export { ping } from './ping.ts';
export { recover } from './recover.ts';
