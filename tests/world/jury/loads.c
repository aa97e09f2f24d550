// An EFI program for x86-64: it has firmware load one image after the other, some with one byte changed.
//
// It reads from the volume that it was started from. /ORDERS has how many there are, and of each the image's
// number, its size, where it is changed and what is XORed to that byte, all of 32 bits; /IMAGE000 is the first
// image. Over the first serial port it says a letter for each: L where firmware loaded it; S where it denied that
// for a signer that dbx has, H for a digest (hash) that dbx has, D for anything else; X where it failed otherwise.
//
// Specification: UEFI 2.10, §7.4 Image Services, §32.4.2 Image Execution Information Table. Linked as one flat section, so it has no variables of its own.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define EFI __attribute__((ms_abi))

struct boot_services {
    char header[24];
    void *before[5];
    u64 EFI (*allocate_pool)(u32 kind, u64 size, void **buffer);
    u64 EFI (*free_pool)(void *buffer);
    void *between[9];
    u64 EFI (*handle_protocol)(void *handle, const void *guid, void **found);
    void *others[5];
    u64 EFI (*load_image)(u8 policy, void *parent, void *path, void *source, u64 size, void **image);
    void *start[2];
    u64 EFI (*unload_image)(void *image);
};

struct executions { // an entry's size counts from its action on
    u64 count;
    struct execution {
        u32 action, size;
    } first;
};

struct system_table {
    char before[96];
    struct boot_services *boot;
    u64 count;
    struct {
        u64 guid[2];
        struct executions *table;
    } *configuration;
};

struct loaded_image {
    char before[24];
    void *device;
};

struct file {
    u64 revision;
    u64 EFI (*open)(struct file *self, struct file **opened, const u16 *name, u64 mode, u64 attributes);
    void *between[2];
    u64 EFI (*read)(struct file *self, u64 *size, void *buffer);
};

struct file_system {
    u64 revision;
    u64 EFI (*open_volume)(struct file_system *self, struct file **root);
};

#define ABORTED 0x8000000000000015ULL
#define ACCESS_DENIED 0x800000000000000FULL
#define SECURITY_VIOLATION 0x800000000000001AULL
#define SIGNATURE_FAILED 1 // actions, as EDK II uses them
#define SIGNATURE_FOUND 4
#define POOL 2 // EfiLoaderData
#define MAX_ORDERS (1 << 16) // bytes

struct order {
    u32 image, size, offset, bits;
};

static void say(char letter)
{
    u8 status;
    do
        __asm__ volatile("inb %w1, %0" : "=a"(status) : "Nd"(0x3FD));
    while (!(status & 0x20));
    __asm__ volatile("outb %0, %w1" : : "a"(letter), "Nd"(0x3F8));
}

static void say_all(const char *text)
{
    while (*text)
        say(*text++);
}

static u64 read(struct file *root, const u16 *name, void *buffer, u64 size)
{
    struct file *file;
    u64 failed = root->open(root, &file, name, 1, 0);
    return failed ? failed : file->read(file, &size, buffer);
}

// Return what the Image Execution Information Table says of the last image that was denied.
static char denied(const struct system_table *system)
{
    for (u64 number = 0; number < system->count; number++) {
        const u64 *guid = system->configuration[number].guid;
        if (guid[0] != 0x45963d3ad719b2cbULL || guid[1] != 0x6f65670ed0dabca3ULL)
            continue;
        const struct executions *table = system->configuration[number].table;
        const struct execution *last = &table->first;
        for (u64 left = table->count; left > 1; left--)
            last = (const struct execution *)((const u8 *)last + last->size);
        if (table->count)
            return last->action == SIGNATURE_FAILED ? 'S' : last->action == SIGNATURE_FOUND ? 'H' : 'D';
    }
    return '?';
}

// Return the image with that number, in a buffer of its own, or none.
static u8 *image_of(struct boot_services *boot, struct file *root, const struct order *order)
{
    u16 name[] = u"IMAGE000";
    u8 *image = 0;
    for (u32 digit = 7, rest = order->image; digit > 4; digit--, rest /= 10)
        name[digit] += rest % 10;
    return boot->allocate_pool(POOL, order->size, (void **)&image) || read(root, name, image, order->size)
               ? 0
               : image;
}

__attribute__((section(".text.start"))) EFI u64 start(void *self, struct system_table *system)
{
    static const u8 LOADED_IMAGE[16] = {0xa1, 0x31, 0x1b, 0x5b, 0x62, 0x95, 0xd2, 0x11,
                                        0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b};
    static const u8 FILE_SYSTEM[16] = {0x22, 0x5b, 0x4e, 0x96, 0x59, 0x64, 0xd2, 0x11,
                                       0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b};
    // Made up, as no image has a place of its own; firmware remembers none that has no path.
    static const u8 PATH[24] = {1, 4, 20, 0, 'J', 'U', 'R', 'Y', [20] = 0x7F, 0xFF, 4, 0};
    struct boot_services *boot = system->boot;
    struct loaded_image *own;
    struct file_system *volume;
    struct file *root;
    u8 *orders, *image = 0;

    if (boot->handle_protocol(self, LOADED_IMAGE, (void **)&own) ||
        boot->handle_protocol(own->device, FILE_SYSTEM, (void **)&volume) ||
        volume->open_volume(volume, &root) || boot->allocate_pool(POOL, MAX_ORDERS, (void **)&orders) ||
        read(root, u"ORDERS", orders, MAX_ORDERS))
        return ABORTED;
    say_all("\r\nLOADS ");
    const struct order *first = (const struct order *)(orders + sizeof(u32));
    for (const struct order *order = first; order < first + *(u32 *)orders; order++) {
        void *loaded = 0;
        if (!image || order[-1].image != order->image) {
            if (image)
                boot->free_pool(image);
            image = image_of(boot, root, order);
        }
        if (!image)
            return ABORTED;
        image[order->offset] ^= order->bits;
        u64 failed = boot->load_image(0, self, (void *)PATH, image, order->size, &loaded);
        image[order->offset] ^= order->bits;
        if (loaded)
            boot->unload_image(loaded);
        say(!failed ? 'L' : failed == ACCESS_DENIED || failed == SECURITY_VIOLATION ? denied(system) : 'X');
    }
    say_all("\r\nJURY-STARTED\r\n");
    return ABORTED;
}
