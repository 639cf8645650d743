/** Style sheets are imported for the bundler, which joins them into one file per app. */
declare module '*.css';
