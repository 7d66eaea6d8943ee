import { fieldsOf, textOf, type Fields } from './fields.ts';

/** Words for what is neither text nor file, so that the agent knows of it; empty for service messages. */
export function wordsFor(message: Fields): string {
  const sticker = fieldsOf(message['sticker']);
  if (sticker !== null) return `[sticker ${textOf(sticker['emoji']) ?? ''}]`.replace(' ]', ']');
  const venue = fieldsOf(message['venue']);
  const place = fieldsOf(venue?.['location']) ?? fieldsOf(message['location']);
  if (place !== null) return placeWords(place, venue);
  const contact = fieldsOf(message['contact']);
  if (contact !== null) {
    const words = ['first_name', 'last_name', 'phone_number'].map((name) => textOf(contact[name]));
    return `[contact: ${words.filter((word) => word !== null).join(' ')}]`;
  }
  const poll = fieldsOf(message['poll']);
  if (poll !== null) {
    const options = Array.isArray(poll['options']) ? poll['options'] : [];
    const choices = options.map((option: unknown) => textOf(fieldsOf(option)?.['text'])).filter((one) => one !== null);
    return `[poll: ${textOf(poll['question']) ?? ''} ${choices.map((choice) => `- ${choice}`).join(' ')}]`;
  }
  const dice = fieldsOf(message['dice']);
  return typeof dice?.['value'] === 'number' ? `[${textOf(dice['emoji']) ?? 'dice'} ${dice['value']}]` : '';
}

function placeWords(place: Fields, venue: Fields | null): string {
  const { latitude, longitude } = place;
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return '';
  const names = [textOf(venue?.['title']), textOf(venue?.['address'])].filter((name) => name !== null);
  return `[location: ${[...names, `${latitude}, ${longitude}`].join(', ')}]`;
}
